"""What a model would need and do here, said before it is pulled."""

from __future__ import annotations

from mlxr.api.estimate import Estimate
from mlxr.http.estimate.handlers import EstimateRequest, estimate
from mlxr.http.services import Route

ROUTES = (
    Route(
        "POST",
        "/api/estimate",
        estimate,
        "Whether a model runs and fits here, and how fast it would be, from its header alone",
        takes=EstimateRequest,
        gives=Estimate,
    ),
)
