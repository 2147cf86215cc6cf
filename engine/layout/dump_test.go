package layout

// How a layout reads in tests.

import (
	"fmt"
	"strings"

	"sbx/engine/host"
)

var typeNames = map[host.FileType]string{
	host.Dir: "dir", host.File: "file", host.Symlink: "symlink", host.Device: "device", host.Whiteout: "whiteout",
	host.Other: "other", host.Unknown: "unknown",
}

// dump writes a step a line, its skeletons and faults below.
func dump(l *Layout) string {
	var b strings.Builder
	if l.Root != nil {
		b.WriteString("root ")
		step(&b, l.Root)
	}
	for _, s := range l.Steps {
		step(&b, s)
	}
	for _, d := range l.Diags {
		fmt.Fprintf(&b, "fault %s: %s\n", d.Op, d.Msg)
	}
	return b.String()
}

func step(b *strings.Builder, s *Step) {
	t := s.Target
	fmt.Fprintf(b, "%s %s %s", s.Op.Kind, t.Path, [...]string{"own", "writable", "read-only"}[t.Place])
	if s.Dir {
		b.WriteString(" dir")
	}
	if t.Exists != host.Missing {
		b.WriteString(" over " + typeNames[t.Exists])
	}
	for _, m := range t.Make {
		b.WriteString(" make " + m)
	}
	if s.Source != "" {
		b.WriteString(" of " + s.Source)
	}
	for _, path := range s.Hold {
		b.WriteString(" hold " + path)
	}
	if s.Done {
		b.WriteString(" done")
	}
	if t.Ready {
		b.WriteString(" ready")
	}
	b.WriteByte('\n')
	for _, e := range s.Extra {
		entry(b, "extra", e)
	}
	for _, sk := range s.Skeletons {
		fmt.Fprintf(b, "  skeleton %s of %s", sk.Path, sk.Source)
		if sk.UseMirror() {
			b.WriteString(" mirror")
		}
		for _, e := range sk.Mirror {
			b.WriteString(" " + e.Name)
		}
		b.WriteByte('\n')
		for _, e := range sk.Entries {
			entry(b, "  entry", e)
		}
	}
}

func entry(b *strings.Builder, what string, e *Entry) {
	fmt.Fprintf(b, "  %s %s %s", what, e.Rel, typeNames[e.Kind])
	if e.Mode != 0 {
		fmt.Fprintf(b, " %04o", e.Mode)
	}
	if e.Step != nil {
		b.WriteString(" for " + string(e.Step.Op.Kind))
	}
	b.WriteByte('\n')
}
