"""Rules that every resource must follow; a preview fails that breaks one.

    rule.py          what a rule is, and the building blocks of most rules
    storage.py       buckets
    warehouse.py     BigQuery
    messaging.py     Pub/Sub
    machines.py      Compute Engine
    network.py       network, subnets, firewall
    identity.py      who may do what
    jobs.py          Dataflow and Dataproc
    containers.py    Docker containers
    labelling.py     labels, by which costs are counted
    protection.py    what may not be deleted by mistake in production
    pack.py          all rules, and how Pulumi runs them
    table.py         the rules as a page, docs/policies.md
    __main__.py      the policy pack: `pulumi preview --policy-pack infra/policy`

A rule is data: the types that it is for, a check from a resource's inputs to complaints, its number in the CIS
benchmark or in Checkov, and what to do. There is no way to except a resource. To add a rule, write it in the module of
its concern and add a resource that breaks it to the tests; a test fails for a rule without one.

What is not known yet at the preview is not judged then. The rules run in `pulumi up` too, where it is known.
"""
