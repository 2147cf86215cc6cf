//go:build linux

package enginetest

// Plans of the order given, as the front ends for the peers make them.

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
)

// given is a plan of the order given: base, and then ops, with all that the peers do.
func given(t testing.TB, w who, ops ...plan.Op) *plan.Plan {
	t.Helper()
	p := scriptPlan(t, w, base())
	p.Order, p.Propagation, p.PointMode = plan.OrderGiven, plan.PropagationSlave, plan.ModePtr(0o444)
	// A script's order is any; a tree in memory goes before what is in it.
	slices.SortStableFunc(p.Ops, func(a, b plan.Op) int { return strings.Compare(string(a.Dst), string(b.Dst)) })
	p.Ops = append(p.Ops, ops...)
	for i := range p.Ops {
		p.Ops[i].Create, p.Ops[i].Follow = true, true
	}
	return p
}

func wantPlan(t testing.TB, w who, p *plan.Plan, sh, want string) {
	t.Helper()
	w.plan(t, p, "sh", "-c", sh).Want(t, sh, want)
}

func TestGivenOrder(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/rw/file", "old\n")
		w.Write(t, d+"/rw/sub/x", "x\n")
		w.Mkdir(t, d+"/empty")
		str := func(s string) plan.Str { return plan.Str(s) }

		t.Run("hides", func(t *testing.T) {
			p := given(t, w,
				plan.Op{Kind: plan.Write, Dst: "/tmp/a/f", Data: "f"},
				plan.Op{Kind: plan.Tmpfs, Dst: "/tmp/a"},
				plan.Op{Kind: plan.Bind, Src: str(d + "/rw"), Dst: "/tmp/a/rw", RO: true},
				plan.Op{Kind: plan.Bind, Src: str(d + "/empty"), Dst: "/tmp/a/rw/sub"})
			wantPlan(t, w, p, "cd /tmp/a; find . | sort; cat rw/file; touch rw/sub/new && rm rw/sub/new; touch rw/new 2>/dev/null || echo no",
				".\n./rw\n./rw/file\n./rw/sub\nold\nno")
		})
		t.Run("the host's files", func(t *testing.T) {
			here := d + "/made"
			w.Mkdir(t, here)
			w.Write(t, here+"/file", "old, and longer\n")
			box.Must(t, os.Symlink("file", here+"/link"))
			p := given(t, w,
				plan.Op{Kind: plan.Bind, Src: str(here), Dst: "/w"},
				plan.Op{Kind: plan.Bind, Src: "/dev/null", Dst: "/w/point", RO: true},
				plan.Op{Kind: plan.Tmpfs, Dst: "/w/x/y/tmp", ParentMode: plan.ModePtr(0o750)},
				plan.Op{Kind: plan.Symlink, Dst: "/w/new", Target: "t", Content: plan.ContentThrough},
				plan.Op{Kind: plan.Write, Dst: "/w/link", Data: "new\n", Content: plan.ContentThrough},
				plan.Op{Kind: plan.Write, Dst: "/w/data", Data: "data\n", Mode: plan.ModePtr(0o640), Content: plan.ContentThrough},
				plan.Op{Kind: plan.Write, Dst: "/w/aside", Data: "aside\n", RO: true, Content: plan.ContentMount},
				plan.Op{Kind: plan.Chmod, Dst: "/w/data", Mode: plan.ModePtr(0o600)})
			wantPlan(t, w, p, "cat /w/file /w/aside; (echo x >/w/aside) 2>/dev/null || echo no; readlink /w/new", "new\naside\nno\nt")
			mode := func(name string, want os.FileMode) {
				t.Helper()
				st, err := os.Lstat(here + "/" + name)
				if err != nil || st.Mode() != want {
					t.Errorf("%s: %v, %v, want mode %v", name, st, err, want)
				}
			}
			mode("point", 0o444)
			mode("aside", 0o444)
			mode("x/y", os.ModeDir|0o750)
			mode("x/y/tmp", os.ModeDir|0o755)
			mode("data", 0o600)
			mode("file", 0o644)
			if b, _ := os.ReadFile(here + "/file"); string(b) != "new\n" {
				t.Errorf("file: %q", b)
			}
		})
		t.Run("the root over a socket", func(t *testing.T) {
			sock := d + "/sock"
			l, err := net.Listen("unix", sock)
			box.Must(t, err)
			defer l.Close()
			p := plan.New()
			p.Order = plan.OrderGiven
			p.Ops = []plan.Op{
				{Kind: plan.Bind, Src: str(sock), Dst: str(sock), Create: true, Follow: true},
				{Kind: plan.Bind, Src: "/", Dst: "/", RO: true, Create: true},
				{Kind: plan.Bind, Src: str(d + "/rw"), Dst: str(d + "/rw"), Create: true},
				{Kind: plan.Dev, Dst: "/dev", Bare: true, Create: true},
				{Kind: plan.RemountRO, Dst: str(d + "/rw")},
			}
			wantPlan(t, w, p, "test -S "+sock+" && echo sock; touch "+d+"/rw/new 2>/dev/null || echo no; stat -c %a /dev/shm; ls /dev/fuse 2>/dev/null; grep -c ' / / ' /proc/self/mountinfo", "sock\nno\n755\n1")
			p.Ops = append(p.Ops, plan.Op{Kind: plan.Tmpfs, Dst: "/"})
			if r := w.plan(t, p, "true"); r.Code != 127 {
				t.Error("an empty root:", r)
			}
		})
		t.Run("faults", func(t *testing.T) {
			r := w.plan(t, given(t, w,
				plan.Op{Kind: plan.Bind, Src: str(d + "/rw"), Dst: "/r", RO: true},
				plan.Op{Kind: plan.Mkdir, Dst: "/r/no/deep"}), "true")
			wantError(t, r, 125, "mkdir", "/r/no", unix.EROFS.Error())
			r = w.plan(t, given(t, w, plan.Op{Kind: plan.RemountRO, Dst: "/usr/bin"}), "true")
			wantError(t, r, 125, "remount_ro", "invalid argument")
		})
	})
}
