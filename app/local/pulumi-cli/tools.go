//go:build tools

// Package tools names the program that is built here, so that go.mod and go.sum hold it and all it needs.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
