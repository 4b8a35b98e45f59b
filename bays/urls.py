"""Routes under /container-infra: clusters and bays, clustertemplates and baymodels are two names for the same rows."""

from __future__ import annotations

from django.urls import URLPattern, include, path, re_path

from bays.serializers import BAYS, CLUSTERS, Dialect
from bays.views.baymodels import BayModelDetail, BayModels, BayModelsInDetail
from bays.views.bays import BayDetail, Bays, BaysInDetail, Resize
from bays.views.certificates import CertificateDetail, Certificates
from bays.views.discovery import Contents, Versions
from bays.views.events import Events
from bays.views.nodegroups import NodeGroupDetail, NodeGroups, Upgrade
from bays.views.operations import OperationDetail, Operations
from bays.views.quotas import QuotaDetail, Quotas, Stats
from bays.views.services import FederationDetail, Federations, Services


def _routes(words: Dialect) -> list[URLPattern]:
    one = r"(?P<ident>[^/]+)/?$"
    return [
        re_path(rf"^{words.bays}/?$", Bays.as_view(words=words)),
        re_path(rf"^{words.bays}/detail/?$", BaysInDetail.as_view(words=words)),
        re_path(rf"^{words.bays}/{one}", BayDetail.as_view(words=words)),
        re_path(
            rf"^{words.bays}/(?P<ident>[^/]+)/actions/resize/?$",
            Resize.as_view(words=words),
        ),
        re_path(rf"^{words.bays}/(?P<ident>[^/]+)/actions/upgrade/?$", Upgrade.as_view(words=words)),
        re_path(rf"^{words.baymodels}/?$", BayModels.as_view(words=words)),
        re_path(rf"^{words.baymodels}/detail/?$", BayModelsInDetail.as_view(words=words)),
        re_path(rf"^{words.baymodels}/{one}", BayModelDetail.as_view(words=words)),
    ]


_version_1 = [
    *_routes(CLUSTERS),
    *_routes(BAYS),
    re_path(r"^certificates/?$", Certificates.as_view()),
    re_path(r"^certificates/(?P<ident>[^/]+)/?$", CertificateDetail.as_view()),
    re_path(r"^quotas/?$", Quotas.as_view()),
    re_path(r"^quotas/(?P<project>[^/]+)/(?P<resource>[^/]+)/?$", QuotaDetail.as_view()),
    re_path(r"^stats/?$", Stats.as_view()),
    re_path(r"^mservices/?$", Services.as_view()),
    re_path(r"^federations(?:/detail)?/?$", Federations.as_view()),
    re_path(r"^federations/(?P<ident>[^/]+)/?$", FederationDetail.as_view()),
    re_path(r"^clusters/(?P<ident>[^/]+)/nodegroups/?$", NodeGroups.as_view()),
    re_path(r"^clusters/(?P<ident>[^/]+)/nodegroups/(?P<group>[^/]+)/?$", NodeGroupDetail.as_view()),
    re_path(r"^events/?$", Events.as_view()),
    re_path(r"^operations/?$", Operations.as_view()),
    re_path(r"^operations/(?P<ident>[^/]+)/?$", OperationDetail.as_view()),
]
urlpatterns = [
    re_path(r"^container-infra/?$", Versions.as_view()),
    re_path(r"^container-infra/v1/?$", Contents.as_view()),
    path("container-infra/v1/", include(_version_1)),
]
