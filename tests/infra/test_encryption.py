"""A key of one's own encrypts all that keeps data, and the services that keep it may use the key."""

from typing import Any

from tests.infra.environments import KEY, environment

GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"


def test_without_a_key_no_right_is_given_and_google_keeps_the_keys() -> None:
    declared = environment("dev")
    assert not declared.all(GRANT)
    assert not any("kmsKeyName" in one.inputs for one in declared.resources)


def test_each_service_may_use_the_key_and_do_nothing_else_with_it() -> None:
    grants = environment("dev", security={"kmsKey": KEY}).all(GRANT)
    assert {grant.inputs["role"] for grant in grants} == {"roles/cloudkms.cryptoKeyEncrypterDecrypter"}
    assert {grant.inputs["cryptoKeyId"] for grant in grants} == {KEY}
    agents = {grant.inputs["member"].partition("@")[2].removesuffix(".iam.gserviceaccount.com") for grant in grants}
    assert agents == {
        "bigquery-encryption",
        "gs-project-accounts",
        "compute-system",
        "gcp-sa-artifactregistry",
        "gcp-sa-dataflow",
        "gcp-sa-pubsub",
        "gcp-sa-secretmanager",
    }


def test_what_keeps_data_is_encrypted_with_the_key_once_it_may_be_used() -> None:
    declared = environment("dev", security={"kmsKey": KEY})
    grants = {grant.name for grant in declared.all(GRANT)}
    for type_, where in (
        ("gcp:storage/bucket:Bucket", ("encryption", "defaultKmsKeyName")),
        ("gcp:pubsub/topic:Topic", ("kmsKeyName",)),
        ("gcp:bigquery/dataset:Dataset", ("defaultEncryptionConfiguration", "kmsKeyName")),
        ("gcp:artifactregistry/repository:Repository", ("kmsKeyName",)),
        ("gcp:dataflow/flexTemplateJob:FlexTemplateJob", ("kmsKeyName",)),
        ("gcp:compute/instance:Instance", ("bootDisk", "kmsKeySelfLink")),
    ):
        found = declared.all(type_)
        assert found
        for one in found:
            value: Any = one.inputs
            for key in where:
                value = value[key]
            assert value == KEY, one.name
            assert grants <= one.depends_on, one.name
    for table in declared.all("gcp:bigquery/table:Table"):
        if "view" not in table.inputs:
            assert table.inputs["encryptionConfiguration"] == {"kmsKeyName": KEY}
