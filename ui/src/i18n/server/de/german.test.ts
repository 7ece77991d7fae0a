import { describe, expect, it } from "vitest";
import { translate } from ".";

const NEED =
  "it needs 4.9 GB for weights and 37.7 MB for a context of 512 tokens (201.3 MB beside), 4.0 GB available; " +
  "take a smaller quantization, or free memory";

const BRAUCHT =
  "es braucht 4.9 GB für Gewichte und 37.7 MB für einen Kontext von 512 Tokens (201.3 MB dazu), 4.0 GB sind verfügbar; " +
  "nehmen Sie eine kleinere Quantisierung, oder machen Sie Speicher frei";

describe("in German, the refusal to load", () => {
  it("is whole", () => {
    expect(translate(NEED)).toBe(BRAUCHT);
    expect(translate(`can't load llama:8b: ${NEED}`)).toBe(`llama:8b lässt sich nicht laden: ${BRAUCHT}`);
  });

  it("is whole for a model that keeps nothing, and where a shorter context would do", () => {
    const wished = "it needs 4.9 GB for weights (1.0 GB beside), 4.0 GB available; ";
    const way = "--set executor.context_length=2048, or take a smaller quantization";
    expect(translate(wished + way)).toBe(
      "es braucht 4.9 GB für Gewichte (1.0 GB dazu), 4.0 GB sind verfügbar; " +
        "--set executor.context_length=2048, oder nehmen Sie eine kleinere Quantisierung",
    );
  });

  it("is whole with what the machine has to give, and what pinned models take", () => {
    expect(translate(`can't load llama:8b: ${NEED}; this machine has 4.1 GB to give`)).toBe(
      `llama:8b lässt sich nicht laden: ${BRAUCHT}; diese Maschine hat 4.1 GB übrig`,
    );
    const limit = "the limit for all models is 8.0 GB (models.memory_limit), of which pinned models take 2.0 GB (a, b)";
    expect(translate(`${NEED}; ${limit}`)).toBe(
      `${BRAUCHT}; die Grenze für alle Modelle ist 8.0 GB (models.memory_limit), ` +
        "wovon angeheftete Modelle 2.0 GB belegen (a, b)",
    );
  });

  it("is whole with the draft model that is required beside", () => {
    const beside = "its draft model tiny:1b takes 1.2 GB beside";
    const names = "the model's own PARAMETER draft_model names it: none goes without";
    expect(translate(`can't load llama:8b: ${NEED} (${beside}; ${names})`)).toBe(
      `llama:8b lässt sich nicht laden: ${BRAUCHT} (sein Entwurfsmodell tiny:1b braucht 1.2 GB dazu; ` +
        "das Modell nennt es selbst mit PARAMETER draft_model; „none“ lädt ohne)",
    );
  });
});

describe("in German, people's own words", () => {
  it("stay as they are within a sentence", () => {
    expect(translate("can't read '/m/Ways to win/it has ended already': EOF")).toBe(
      "'/m/Ways to win/it has ended already' ist nicht zu lesen: EOF",
    );
    expect(translate('"The disk: can\'t be read: no; it was there" holds no model')).toBe(
      '"The disk: can\'t be read: no; it was there" enthält kein Modell',
    );
    expect(translate("can't read /m/Ways to win/x.gguf: EOF")).toBe("/m/Ways to win/x.gguf ist nicht zu lesen: EOF");
  });

  it.each([
    "Ways to win",
    "Rome has fallen: why",
    "Cats are nicer than",
    "it rains",
    "the tokenizer of my dreams",
    "chat about cats",
    "the key to it; and it has a door",
  ])("are no sentence of the server's: %s", (words) => {
    expect(translate(words)).toBeNull();
  });

  it("may be told of by few words of the server's", () => {
    expect(translate("chat 3 has no messages (`mapping`)")).not.toBeNull();
    expect(translate("huggingface.co answers 503")).toBe("huggingface.co antwortet mit 503");
    expect(translate("5.0 GB, 52% smaller than my:8b (10.4 GB)")).toBe("5.0 GB, 52 % kleiner als my:8b (10.4 GB)");
  });
});
