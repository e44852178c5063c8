"""What has to be there first."""

import pulumi


def after(*first: pulumi.Resource, within: pulumi.Resource | None = None) -> pulumi.ResourceOptions:
    """Options of a component, all of whose resources are made after `first` and removed before it."""

    def wait(given: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        waiting = pulumi.ResourceOptions(depends_on=first)
        return pulumi.ResourceTransformationResult(given.props, pulumi.ResourceOptions.merge(given.opts, waiting))

    return pulumi.ResourceOptions(parent=within, transformations=[wait])
