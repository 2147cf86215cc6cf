package verbs

// The verb version.

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"sbx/engine/plan"
)

// versionCmd is the verb's grammar.
type versionCmd struct {
	JSON bool `name:"json" help:"For programs."`
}

// versionInfo is the JSON form.
type versionInfo struct {
	Version  string `json:"version"` // of the module, or "devel"
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
	Modified bool   `json:"modified,omitempty"`
	Plan     int    `json:"plan"` // version of the plan's JSON form
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (c *versionCmd) run() int {
	v := version()
	if c.JSON {
		return outJSON(v)
	}
	s := "sbx " + v.Version
	if v.Revision != "" {
		s += " " + v.Revision[:min(12, len(v.Revision))]
	}
	if v.Modified {
		s += " modified"
	}
	return out(fmt.Sprintf("%s, plan format %d, %s %s\n", s, v.Plan, v.Go, v.Platform))
}

func version() versionInfo {
	v := versionInfo{Version: "devel", Plan: plan.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	if m := b.Main.Version; m != "" && m != "(devel)" {
		v.Version = m
	}
	return v
}
