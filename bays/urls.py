"""Routes under /container-infra: clusters and bays, clustertemplates and baymodels are two names for the same rows."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from bays.serializers import BAYS, CLUSTERS, Dialect
from bays.views.baymodels import BayModelDetail, BayModels, BayModelsInDetail
from bays.views.bays import BayDetail, Bays, BaysInDetail, Resize
from bays.views.discovery import Contents, Versions
from bays.views.operations import OperationDetail, Operations


def _routes(words: Dialect) -> list[URLPattern]:
    one = r"(?P<ident>[^/]+)/?$"
    return [
        re_path(rf"^container-infra/v1/{words.bays}/?$", Bays.as_view(words=words)),
        re_path(rf"^container-infra/v1/{words.bays}/detail/?$", BaysInDetail.as_view(words=words)),
        re_path(rf"^container-infra/v1/{words.bays}/{one}", BayDetail.as_view(words=words)),
        re_path(
            rf"^container-infra/v1/{words.bays}/(?P<ident>[^/]+)/actions/resize/?$",
            Resize.as_view(words=words),
        ),
        re_path(rf"^container-infra/v1/{words.baymodels}/?$", BayModels.as_view(words=words)),
        re_path(rf"^container-infra/v1/{words.baymodels}/detail/?$", BayModelsInDetail.as_view(words=words)),
        re_path(rf"^container-infra/v1/{words.baymodels}/{one}", BayModelDetail.as_view(words=words)),
    ]


urlpatterns = [
    re_path(r"^container-infra/?$", Versions.as_view()),
    re_path(r"^container-infra/v1/?$", Contents.as_view()),
    *_routes(CLUSTERS),
    *_routes(BAYS),
    re_path(r"^container-infra/v1/operations/?$", Operations.as_view()),
    re_path(r"^container-infra/v1/operations/(?P<ident>[^/]+)/?$", OperationDetail.as_view()),
]
