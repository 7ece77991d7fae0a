"""Every message of the runtime, and who sends it to whom.

One file per receiver holds the messages its inbox accepts; ``ROUTES`` below is the one map over all of them.
``Actor.tell`` refuses what is not in the map, and a test holds the map against the code in both directions.
"""

from __future__ import annotations

from typing import NamedTuple

from mlxr.runtime.messages import (
    chats,
    executor,
    frontend,
    kv,
    monitor,
    profile,
    registry,
    scheduler,
    supervisor,
    tokenizer,
)
from mlxr.runtime.messages.common import Message


class Route(NamedTuple):
    """``sender`` tells ``message`` to ``receiver``; both are kinds of actor."""

    sender: str
    message: type[Message]
    receiver: str


def _routes(sender: str, receiver: str, *messages: type[Message]) -> list[Route]:
    return [Route(sender, message, receiver) for message in messages]


ROUTES: tuple[Route, ...] = (
    # A request on its way in.
    *_routes("frontend", "tokenizer", tokenizer.Generate, tokenizer.Embed, tokenizer.Tokenize, tokenizer.Detokenize),
    *_routes("frontend", "tokenizer", tokenizer.PromptPart, tokenizer.Cancel),
    *_routes("tokenizer", "scheduler", scheduler.Submit, tokenizer.Cancel, scheduler.StopSequence),
    *_routes("scheduler", "kv", kv.Admit, kv.Plan, kv.Reset),
    *_routes("kv", "scheduler", scheduler.Admitted, scheduler.Deferred, scheduler.KVStats),
    *_routes("kv", "executor", executor.Step, executor.StartTransfers, executor.StorePages, executor.RestorePages),
    *_routes("kv", "executor", executor.CancelRestore),
    *_routes(
        "executor",
        "kv",
        kv.DiskOpened,
        kv.PoolPagesFound,
        kv.SegmentsFound,
        kv.PagesTaken,
        kv.PagesStored,
        kv.PagesRestored,
    ),
    *_routes("executor", "kv", kv.OtherPagesFound),
    *_routes("scheduler", "executor", executor.Describe, executor.CompileConstraint),
    *_routes("scheduler", "executor", executor.LoadAdapter, executor.UnloadAdapter),
    *_routes("executor", "scheduler", scheduler.ConstraintCompiled, scheduler.AdapterLoaded),
    *_routes("scheduler", "tokenizer", tokenizer.Queued),
    # Tokens on their way out.
    *_routes("executor", "scheduler", scheduler.StepDone, scheduler.StepFailed, scheduler.ExecutorReady),
    *_routes("scheduler", "tokenizer", tokenizer.Tokens, tokenizer.PromptTokenLogprobs, tokenizer.Embedded),
    *_routes("scheduler", "tokenizer", tokenizer.RequestDone, tokenizer.RequestFailed, tokenizer.SchedulerReset),
    *_routes("tokenizer", "frontend", frontend.Started, frontend.Deltas, frontend.PromptLogprobs),
    *_routes("tokenizer", "frontend", frontend.Finished, frontend.Failed, frontend.Embedding, frontend.Tokenized),
    *_routes("scheduler", "frontend", frontend.EngineStats),
    *_routes("scheduler", "tokenizer", tokenizer.PromptRead),
    *_routes("tokenizer", "frontend", frontend.PromptProgress),
    # Chats, and their answers.
    *_routes("frontend", "chats", chats.AskChats, chats.FollowChat, chats.LeaveChat, chats.FrontendUp),
    *_routes("frontend", "chats", chats.AnswerStarted, chats.AnswerDeltas, chats.AnswerPrefill, chats.AnswerEnded),
    *_routes("chats", "frontend", frontend.ChatReply, frontend.ChatEvents, frontend.ChatsUp),
    *_routes("chats", "frontend", frontend.RunAnswer, frontend.StopAnswer),
    # The catalogue and the life of engines.
    *_routes("frontend", "registry", registry.LoadModel, registry.UnloadModel, registry.TouchModel, registry.PullModel),
    *_routes("frontend", "registry", registry.CreateModel, registry.CopyModel, registry.DeleteModel),
    *_routes("frontend", "registry", registry.ListToolModels, registry.ImportModels, registry.PushModel),
    *_routes("frontend", "registry", registry.ShowModel, registry.MeasureEngines, registry.CancelCommand),
    *_routes("frontend", "registry", registry.EstimateModel),
    *_routes("frontend", "registry", registry.ConvertModel, registry.EstimateConversion),
    *_routes("frontend", "registry", registry.StartJob, registry.ControlJob),
    *_routes("frontend", "registry", registry.EngineReleased),
    *_routes("frontend", "registry", registry.SendCatalog),
    *_routes("registry", "frontend", frontend.Catalog, frontend.RegistryReply, frontend.JobsChanged),
    *_routes("registry", "supervisor", supervisor.StartEngine, supervisor.StopEngine),
    *_routes("executor", "registry", registry.EngineUp, registry.LoadProgress, registry.EngineDown),
    *_routes("executor", "registry", registry.EngineMemory, registry.DrafterFailed),
    *_routes("executor", "scheduler", scheduler.DrafterLost),
    *(Route(kind, kv.LimitPool, "kv") for kind in ("registry", "executor")),
    *_routes("tokenizer", "registry", registry.TokenizerUp, registry.EngineDown),
    # What a person has set up.
    *_routes("frontend", "profile", profile.ReadProfile, profile.SetPrivateFetch, profile.SetToolMode),
    *_routes("frontend", "profile", profile.ReadMcpServer, profile.SaveMcpServer, profile.DeleteMcpServer),
    *_routes("profile", "frontend", frontend.ProfileReply),
    # What a server tells of itself.
    *_routes("frontend", "monitor", monitor.ReadMonitor, monitor.FollowMonitor, monitor.StopFollowing),
    *_routes("frontend", "monitor", monitor.KillExecutor),
    *_routes("monitor", "frontend", frontend.MonitorReply, frontend.MonitorEvents, frontend.MonitorStarted),
    *_routes("monitor", "supervisor", supervisor.KillActor),
    *_routes("supervisor", "monitor", monitor.ExecutorKilled),
    # Failure and shutdown.
    *_routes("supervisor", "scheduler", scheduler.ExecutorLost, scheduler.KVLost),
    *_routes("supervisor", "frontend", frontend.EngineLost, frontend.Drain, frontend.ChatsLost),
    *_routes("frontend", "supervisor", supervisor.Drained, supervisor.BecameIdle),
    *_routes("supervisor", "registry", registry.EngineDown, registry.EngineStopped),
    # Telemetry of actors that have a process of their own.
    *(Route(kind, supervisor.Published, "supervisor") for kind in ("tokenizer", "scheduler", "kv", "registry")),
)

INBOXES: dict[str, object] = {
    "frontend": frontend.FrontendInbox,
    "tokenizer": tokenizer.TokenizerInbox,
    "scheduler": scheduler.SchedulerInbox,
    "kv": kv.KVInbox,
    "executor": executor.ExecutorInbox,
    "registry": registry.RegistryInbox,
    "profile": profile.ProfileInbox,
    "monitor": monitor.MonitorInbox,
    "chats": chats.ChatsInbox,
    "supervisor": supervisor.SupervisorInbox,
}
"""What each kind of actor accepts, as the type its decoder is made of."""
