import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { useToast } from "@/components/Toast";
import { changed, type Job, libraryQuery } from "../library";

/** What a job is asked for, by its kind. */
export type JobRequest =
  | { kind: "pull"; body: Schemas["PullJob"] }
  | { kind: "import"; body: Schemas["ImportJob"] }
  | { kind: "convert"; body: Schemas["ConvertJob"] }
  | { kind: "push"; body: Schemas["PushJob"] };

function post(request: JobRequest) {
  switch (request.kind) {
    case "pull":
      return api.POST("/api/ui/jobs/pull", { body: request.body });
    case "import":
      return api.POST("/api/ui/jobs/import", { body: request.body });
    case "convert":
      return api.POST("/api/ui/jobs/convert", { body: request.body });
    case "push":
      return api.POST("/api/ui/jobs/push", { body: request.body });
  }
}

/** Starts work that belongs to the server: it goes on when the page is closed. */
export function useStartJob() {
  const put = usePut();
  return useMutation({
    mutationFn: async (request: JobRequest) => (await unwrap(post(request))) as Job,
    onSuccess: (job) => put([job], []),
  });
}

/** Cancels, begins again, or forgets a job, or several. */
export function useJobControl(id: string | readonly string[]) {
  const toast = useToast();
  const put = usePut();
  const ids = typeof id === "string" ? [id] : id;
  const onError = (error: Error) => toast({ text: error.message, tone: "danger" });
  const control = useMutation({
    mutationFn: (action: "cancel" | "retry") =>
      Promise.all(
        ids.map((job) => unwrap(api.POST("/api/ui/jobs/{job}", { params: { path: { job } }, body: { action } }))),
      ),
    onError,
  });
  const forget = useMutation({
    mutationFn: () =>
      Promise.all(ids.map((job) => unwrap(api.DELETE("/api/ui/jobs/{job}", { params: { path: { job } } })))),
    onSuccess: () => put([], [...ids]),
    onError,
  });
  return { control, forget };
}

/** The job of that id as it is now; undefined where there is none. */
export function useJob(id: string | null): Job | undefined {
  const { data } = useQuery(libraryQuery);
  return data?.jobs.find((job) => job.id === id);
}

/** Shows at once what the server's events will say; what they have said already is newer. */
function usePut() {
  const client = useQueryClient();
  return (jobs: Job[], gone: string[]) => {
    const nothing = { reset: false, models: [], gone_models: [], machine: null };
    client.setQueryData(libraryQuery.queryKey, (known) => {
      if (known === undefined) return known;
      const fresh = jobs.filter(({ id }) => !known.jobs.some((job) => job.id === id));
      return changed(known, { ...nothing, jobs: fresh, gone_jobs: gone }, known.version);
    });
  };
}
