import { Ban } from "lucide-react";
import { Button } from "@/components/Button";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { useCancelRequest } from "./queries";
import { requestsTexts } from "./texts";

/** Ends an open request. */
export function CancelButton({ id }: { id: number }) {
  const texts = useTexts(requestsTexts);
  const toast = useToast();
  const cancel = useCancelRequest();
  const press = () =>
    cancel.mutate(id, {
      onSuccess: () => toast({ text: texts.cancelled }),
      onError: (error) => toast({ tone: "danger", text: error.message }),
    });
  return (
    <Button look="danger" icon={<Ban aria-hidden className="size-4" />} busy={cancel.isPending} onClick={press}>
      {texts.cancel}
    </Button>
  );
}
