"""The stores' passwords in Secret Manager, for people and for jobs that run elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import secretmanager

from infra.passwords import Passwords
from infra.place import Place


@dataclass(frozen=True)
class BatchSecretsArgs:
    """The passwords by role, and the key that encrypts them: None for Google's own."""

    place: Place
    passwords: Passwords
    roles: Sequence[str]
    key: pulumi.Input[str] | None


class BatchSecrets(pulumi.ComponentResource):
    """A secret for each role, kept in the environment's region alone, called `<environment>-<role>`."""

    def __init__(self, name: str, args: BatchSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:BatchSecrets", name, None, opts)
        self._place = args.place
        self._secrets = {role: self._secret(role, args) for role in args.roles}
        self.register_outputs({})

    def let_read(self, name: str, role: str, member: pulumi.Input[str], parent: pulumi.Resource) -> pulumi.Resource:
        """Let an account read the password of a role."""
        return secretmanager.SecretIamMember(
            name,
            project=self._place.project,
            secret_id=self._secrets[role].secret_id,
            role="roles/secretmanager.secretAccessor",
            member=member,
            opts=pulumi.ResourceOptions(parent=parent),
        )

    def version(self, role: str) -> pulumi.Output[str]:
        """Full name of a secret's newest version, under which a job asks for it."""
        return pulumi.Output.concat(self._secrets[role].id, "/versions/latest")

    def _secret(self, role: str, args: BatchSecretsArgs) -> secretmanager.Secret:
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        replica = secretmanager.SecretReplicationUserManagedReplicaArgs(
            location=place.region,
            customer_managed_encryption=secretmanager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs(
                kms_key_name=args.key
            )
            if args.key
            else None,
        )
        secret = secretmanager.Secret(
            place.name(role),
            secret_id=place.name(role),
            project=place.project,
            replication=secretmanager.SecretReplicationArgs(
                user_managed=secretmanager.SecretReplicationUserManagedArgs(replicas=[replica])
            ),
            labels=place.labels("batch"),
            opts=child,
        )
        secretmanager.SecretVersion(
            place.name(role),
            secret=secret.id,
            secret_data=args.passwords[role],
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["secretData"]),
        )
        return secret
