"""The one place where Google Cloud clients are made, for the real cloud and for the emulators alike.

Where an emulator's variable is set its client goes there, without credentials and without a limit on the size of a
message; where it is not set the client goes to Google with the machine's default credentials.

    PUBSUB_EMULATOR_HOST=127.0.0.1:8085               Pub/Sub, gRPC
    STORAGE_EMULATOR_HOST=http://127.0.0.1:4443       Cloud Storage, REST
    BIGQUERY_EMULATOR_HOST=http://127.0.0.1:9050      BigQuery, REST
    BIGQUERY_STORAGE_EMULATOR_HOST=127.0.0.1:9060     BigQuery Storage Write and Read, gRPC
    GOOGLE_CLOUD_PROJECT=demo-project

Each function imports the library that it needs, so that a user of one service need not have the others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.cloud.bigquery import Client as BigQueryClient
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient, BigQueryWriteClient
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
    from google.cloud.storage import Client as StorageClient

# Without limits on a message, and never through a proxy.
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]


class ProjectMissingError(RuntimeError):
    """No Google Cloud project is named, neither in the environment nor by the default credentials."""


def uses_emulators() -> bool:
    """Whether any service is an emulator's."""
    return any(
        os.environ.get(name) for name in ("PUBSUB_EMULATOR_HOST", "STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST")
    )


def project() -> str:
    """The id of the project: GOOGLE_CLOUD_PROJECT, else that of the default credentials.

    Raises ProjectMissingError if neither is there.
    """
    named = os.environ.get("GOOGLE_CLOUD_PROJECT")
    if named:
        return named
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        found = google.auth.default()[1]
    except DefaultCredentialsError:
        found = None
    if not found:
        raise ProjectMissingError("Set GOOGLE_CLOUD_PROJECT to the id of your project, e.g. demo-project.")
    return str(found)


def storage_client() -> StorageClient:
    """A client of Cloud Storage."""
    from google.cloud.storage import Client

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return Client(project=project(), credentials=_anonymous())
    return Client(project=project())


def bigquery_client() -> BigQueryClient:
    """A client of BigQuery's REST service: tables, views, queries."""
    from google.cloud.bigquery import Client

    endpoint = os.environ.get("BIGQUERY_EMULATOR_HOST")
    if endpoint:
        from google.api_core.client_options import ClientOptions

        options = ClientOptions(api_endpoint=endpoint)
        return Client(project=project(), credentials=_anonymous(), client_options=options)
    return Client(project=project())


def bigquery_write_client() -> BigQueryWriteClient:
    """A client of BigQuery's Storage Write service (AppendRows)."""
    from google.cloud.bigquery_storage_v1 import BigQueryWriteClient

    endpoint = os.environ.get("BIGQUERY_STORAGE_EMULATOR_HOST")
    if endpoint:
        from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport

        transport = BigQueryWriteGrpcTransport(channel=_channel(endpoint))
        return BigQueryWriteClient(transport=transport)  # type: ignore[no-untyped-call]
    return BigQueryWriteClient()  # type: ignore[no-untyped-call]


def bigquery_read_client() -> BigQueryReadClient:
    """A client of BigQuery's Storage Read service (tables as streams of Arrow batches)."""
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

    endpoint = os.environ.get("BIGQUERY_STORAGE_EMULATOR_HOST")
    if endpoint:
        from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

        transport = BigQueryReadGrpcTransport(channel=_channel(endpoint))
        return BigQueryReadClient(transport=transport)  # type: ignore[no-untyped-call]
    return BigQueryReadClient()  # type: ignore[no-untyped-call]


def publisher_client(**settings: Any) -> PublisherClient:
    """A publisher of Pub/Sub; `settings` are PublisherClient's own, e.g. batch_settings and publisher_options."""
    from google.cloud.pubsub_v1 import PublisherClient

    endpoint = os.environ.get("PUBSUB_EMULATOR_HOST")
    if endpoint:
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

        settings["transport"] = PublisherGrpcTransport(channel=_channel(endpoint))
    return PublisherClient(**settings)


def subscriber_client(**settings: Any) -> SubscriberClient:
    """A subscriber of Pub/Sub; `settings` are SubscriberClient's own, e.g. subscriber_options."""
    from google.cloud.pubsub_v1 import SubscriberClient

    endpoint = os.environ.get("PUBSUB_EMULATOR_HOST")
    if endpoint:
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

        settings["transport"] = SubscriberGrpcTransport(channel=_channel(endpoint))
    return SubscriberClient(**settings)


def _anonymous() -> Any:
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()  # type: ignore[no-untyped-call]


def _channel(endpoint: str) -> Any:
    import grpc

    return grpc.insecure_channel(endpoint, options=_CHANNEL)
