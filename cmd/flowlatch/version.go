package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is the version of the sources. 'make build' sets it. It is "" if the go command alone built
// the program, for example 'go install'. Then the go command knows the version of the module.
var version string

type versionCommand struct{}

// Help is shown by --help.
func (versionCommand) Help() string {
	return `Prints the version of the module, the revision and the version of Go.

    flowlatch version`
}

// Run prints the version.
func (versionCommand) Run() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	sayOnStdout(buildVersion(version, info))
	return nil
}

// buildVersion returns the version in one line. It is that of the module if version is "".
func buildVersion(version string, info *debug.BuildInfo) string {
	said := map[string]string{}
	for _, s := range info.Settings {
		said[s.Key] = s.Value
	}
	words := []string{"flowlatch", cmp.Or(version, info.Main.Version, "(unknown version)")}
	if revision := said["vcs.revision"]; revision != "" {
		words = append(words, "revision", revision, "of", said["vcs.time"])
		if said["vcs.modified"] == "true" {
			words = append(words, "with changes")
		}
	}
	return strings.Join(append(words, info.GoVersion, runtime.GOOS+"/"+runtime.GOARCH), " ")
}
