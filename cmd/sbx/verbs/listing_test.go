package verbs

import (
	"strings"
	"testing"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// TestListKeptDirs has the list name the overlays whose upper directories are on a
// tmpfs without user attributes, and no others.
func TestListKeptDirs(t *testing.T) {
	for _, c := range []struct {
		op      plan.Op
		old     bool
		noticed bool
	}{
		{plan.Op{UpperTmpfs: true}, true, true},
		{plan.Op{UpperTmpfs: true}, false, false},
		{plan.Op{Upper: "/mem"}, true, true},
		{plan.Op{Upper: "/disk"}, true, false},
		{plan.Op{}, true, false},
	} {
		p := plan.New()
		c.op.Kind, c.op.Dst, c.op.Lower = plan.Overlay, "/o", []plan.Str{"/l"}
		p.Ops = append(p.Ops, c.op)
		dir := host.Path{Type: host.Dir, Mode: 0o755}
		f := &host.Facts{
			NoTmpfsXattr: c.old,
			Paths:        map[string]host.Path{"/l": dir, "/mem": dir, "/disk": dir},
			FileSys:      map[string]host.FS{"/mem": {Magic: host.TmpfsMagic}, "/disk": {Magic: 0xef53}},
		}
		text := listing(&target{}, p, layout.Build(p, f, nil), f)
		if got := strings.Contains(text, "cannot be removed or renamed"); got != c.noticed {
			t.Errorf("%+v, old %v: told %v\n%s", c.op, c.old, got, text)
		}
	}
}
