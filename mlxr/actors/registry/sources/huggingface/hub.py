"""The Hub as huggingface_hub knows it: its endpoint, who asks, what a repository holds, and why it says no.

huggingface_hub is imported where it is used, and used in worker threads: it takes half a second, and it blocks. Its
``HfApi`` is not: each header that it makes may send for a list of programs that it reports the user of.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from anyio import to_thread

from mlxr.actors.registry.sources.huggingface.name import HubName
from mlxr.actors.registry.sources.transfer.http_client import retry_after
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.retries import Interrupted, Retries
from mlxr.models import names
from mlxr.runtime.errors import ModelError, ModelNotFound, PullError

_OTHER = "; see what HF_ENDPOINT names, if it is set"
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository; ``digest`` as ``RemoteFile`` has it: the Hub knows it of every file."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Repository:
    """What a repository holds at one commit.

    id: ORG/REPO, as its owner writes it.
    """

    id: str
    commit: str
    files: tuple[HubFile, ...]
    license: str = ""


class Hub:
    """The Hub at one endpoint, for whoever is logged in here.

    endpoint: its address.
    token: of the user; '' for anybody.
    """

    def __init__(self, endpoint: str, token: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._token = token

    @classmethod
    async def here(cls) -> Hub:
        """Returns the Hub that ``HF_ENDPOINT`` names, with the token of ``HF_TOKEN`` or ``hf auth login``."""
        return await to_thread.run_sync(cls._here)

    @classmethod
    def _here(cls) -> Hub:
        from huggingface_hub import constants, get_token

        implicit = not constants.HF_HUB_DISABLE_IMPLICIT_TOKEN
        return cls(os.environ.get("HF_ENDPOINT") or constants.ENDPOINT, (get_token() or "") if implicit else "")

    def access(self, repo: str) -> HubAccess:
        return HubAccess(repo, self._token)

    def address(self, repository: Repository, path: str) -> str:
        """Returns where a file of a repository is."""
        return f"{self.endpoint}/{repository.id}/resolve/{repository.commit}/{quote(path)}"

    async def repository(self, name: HubName, limits: TransferLimits) -> Repository:
        """Returns what ``name``'s repository holds. Raises ``ModelNotFound`` and ``PullError``."""
        retries = Retries(limits, f"the list of files of {name.spelled}", limits.first_attempts)
        while True:
            try:
                return await to_thread.run_sync(self._ask, name, limits, abandon_on_cancel=True)
            except Interrupted as failure:
                await retries.again(failure)

    def _ask(self, name: HubName, limits: TransferLimits) -> Repository:
        from huggingface_hub import ModelInfo, get_session
        from huggingface_hub.errors import HfHubHTTPError
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

        url = f"{self.endpoint}/api/models/{name.repo}/revision/{quote(name.revision, safe='')}"
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            # How long it may take, and not more: who cancels meanwhile leaves it behind.
            answer = get_session().get(
                url, params={"blobs": True}, headers=headers, timeout=limits.connect_seconds, follow_redirects=True
            )
            hf_raise_for_status(answer)
            return _repository(ModelInfo(**answer.json()), name)  # type: ignore[no-untyped-call]
        except HfHubHTTPError as error:
            raise self._why(error, name) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PullError(f"{self._host} answers with something else than a list of files{_OTHER}") from error
        except OSError as error:
            raise Interrupted(f"can't reach {self._host} ({error})") from error
        except Exception as error:
            # What its HTTP library raises has no base of the standard library's.
            if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "httpcore2"):
                raise
            raise Interrupted(f"can't reach {self._host} ({error or type(error).__name__})") from error

    @property
    def _host(self) -> str:
        return self.endpoint.partition("://")[2] or self.endpoint

    def _why(self, error: Any, name: HubName) -> Exception:
        """What a refusal of the Hub means, in the user's words."""
        status, headers = error.response.status_code, error.response.headers
        if status in _PASSING:
            return Interrupted(f"{self._host} answers {status}", retry_after(headers))
        if known := self.access(name.repo).refusal(status, headers):
            return known
        if headers.get("X-Error-Code") == "RevisionNotFound":
            return ModelNotFound(f"{names.HUB}{name.repo} has no revision {name.revision!r}; leave it away for `main`")
        if status in (401, 403, 404):
            return NoRepository(name.repo, bool(self._token))
        said = headers.get("X-Error-Message") or error.response.reason_phrase
        return PullError(f"{self._host} answers {status} ({said}) for {name.repo}")


class NoRepository(ModelNotFound):
    """The Hub shows no repository of that name to whoever asks."""

    def __init__(self, repo: str, known: bool) -> None:
        way = "see whether your token may read it" if known else "log in with `hf auth login` or set HF_TOKEN"
        super().__init__(
            f"the Hugging Face Hub has no repository {names.quoted(repo)}; look at its spelling, or if it is private, "
            f"{way}"
        )


class Gated(PullError):  # noqa: N818  (reads as what happened)
    """A repository's owner lets in only who asks."""

    def __init__(self, repo: str, known: bool) -> None:
        then = "" if known else ", then log in here with `hf auth login` or set HF_TOKEN"
        asks = "waits for its owner's consent" if known else "is for who has agreed to its terms"
        super().__init__(
            f"{names.HUB}{repo} is gated, and {asks}: open https://huggingface.co/{repo} and ask for access{then}"
        )


@dataclass(frozen=True, slots=True)
class HubAccess:
    """Implements ``Access`` to the files of a repository."""

    repo: str
    token: str

    async def headers(self, url: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def renew(self, url: str, headers: Mapping[str, str]) -> bool:
        return False

    def refusal(self, status: int, headers: Mapping[str, str]) -> ModelError | None:
        code, said = headers.get("X-Error-Code", ""), headers.get("X-Error-Message", "")
        if code == "GatedRepo":
            return Gated(self.repo, bool(self.token))
        if code == "RepoNotFound":
            return NoRepository(self.repo, bool(self.token))
        if said.startswith("Access to this resource is disabled"):
            return PullError(f"the Hugging Face Hub has disabled {names.HUB}{self.repo}; find another one")
        if code == "EntryNotFound":
            return ModelNotFound(f"a file of {names.HUB}{self.repo} is gone; pull again")
        if status == 401 and self.token:
            return PullError(
                "the Hugging Face Hub does not know the token that you are logged in with; run `hf auth login` or "
                "change HF_TOKEN"
            )
        return None


class _Info(Protocol):
    """What is used of ``huggingface_hub.ModelInfo``."""

    id: str
    sha: str | None
    siblings: Any
    card_data: Any
    tags: list[str] | None


def _repository(info: _Info, name: HubName) -> Repository:
    if not info.sha or info.siblings is None:
        raise ValueError("no commit or no files")
    listed = []
    for sibling in info.siblings:
        size, digest = sibling.size, f"git:{sibling.blob_id}" if sibling.blob_id else ""
        if sibling.lfs is not None:
            size, digest = sibling.lfs.size, f"sha256:{sibling.lfs.sha256}"
        if not _inside(sibling.rfilename):
            continue
        listed.append(HubFile(sibling.rfilename, int(size), digest))
    license = str(getattr(info.card_data, "license", None) or "")
    return Repository(info.id or name.repo, info.sha, tuple(listed), license)


def _inside(path: str) -> bool:
    """Whether ``path`` is one of a file within a folder."""
    parts = path.split("/")
    return names.plain(path) and "\\" not in path and not {"", ".", ".."} & set(parts)
