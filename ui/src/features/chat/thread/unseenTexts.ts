import { defineTexts } from "@/i18n/texts";

export const unseenTexts = defineTexts({
  en: {
    wentElsewhere: "Another tab went to another version of this chat. This one stays with your change.",
    goThere: "Go there",
    inOtherBranch: "A change of yours is in another version of this chat.",
    showIt: "Show it",
    messageGone: "The message that you were changing was deleted.",
    takeText: "Take its text",
    discard: "Discard",
  },
  de: {
    wentElsewhere: "Ein anderer Tab zeigt jetzt eine andere Fassung dieses Chats. Dieser bleibt bei Ihrer Änderung.",
    goThere: "Dorthin",
    inOtherBranch: "Eine Ihrer Änderungen steht in einer anderen Fassung dieses Chats.",
    showIt: "Zeigen",
    messageGone: "Die Nachricht, die Sie gerade ändern, wurde gelöscht.",
    takeText: "Text übernehmen",
    discard: "Verwerfen",
  },
});
