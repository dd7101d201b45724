package main

import (
	"runtime"
	"runtime/debug"
	"strings"
)

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
	sayOnStdout(buildVersion(info))
	return nil
}

// buildVersion returns the version in one line.
func buildVersion(info *debug.BuildInfo) string {
	said := map[string]string{}
	for _, s := range info.Settings {
		said[s.Key] = s.Value
	}
	words := []string{"flowlatch", info.Main.Version}
	if info.Main.Version == "" {
		words[1] = "(unknown version)"
	}
	if revision := said["vcs.revision"]; revision != "" {
		words = append(words, "revision", revision, "of", said["vcs.time"])
		if said["vcs.modified"] == "true" {
			words = append(words, "with changes")
		}
	}
	return strings.Join(append(words, info.GoVersion, runtime.GOOS+"/"+runtime.GOARCH), " ")
}
