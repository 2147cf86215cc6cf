//go:build linux

package enginetest

// Random plans: what has no faults on paper must come about on a real kernel,
// and must leave the host as it was.

import (
	"math/rand/v2"
	"strings"
	"testing"

	"sbx/engine/compile/compiletest"
	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
	"sbx/engine/validate"
)

// randomHost makes the files that random plans take from the host.
func (w who) randomHost(t testing.TB) string {
	d := w.disk(t)
	for _, name := range []string{"usr/lib/x", "usr/bin/sh", "usr/mnt/sub/f", "a/b", "a/c/f", "b/a/f", "etc/x", "low/1/a/f", "low/2/a/g", "low/2/b", `low/b\s:,x/f`, "up/a/f", "up/b/f"} {
		w.Write(t, d+"/"+name, "x")
	}
	return d
}

// randomPlan returns a plan without faults.
func (w who) randomPlan(r *rand.Rand, dir string) *plan.Plan {
	p := plan.New()
	p.Unshare = plan.Namespaces{IPC: r.IntN(2) == 0, PID: r.IntN(2) == 0}
	p.Command = []plan.Str{"/no such command"}
	if r.IntN(3) == 0 {
		p.Order, p.Propagation = plan.OrderGiven, plan.PropagationSlave
	}
	move := func(s *plan.Str) {
		if *s != "" {
			*s = plan.Str(strings.TrimSuffix(dir+string(*s), "/"))
		}
	}
	for range 1 + r.IntN(20) {
		o := compiletest.Op(r)
		if p.Order == plan.OrderGiven {
			o = compiletest.GivenOp(r, false)
		}
		if o.Src == "/run/sock" || o.Create {
			continue
		}
		if !o.Inside {
			move(&o.Src)
		}
		move(&o.Upper)
		for i := range o.Lower {
			move(&o.Lower[i])
		}
		q := *p
		q.Ops = append(q.Ops[:len(q.Ops):len(q.Ops)], o)
		f := host.Live(&q)
		f.UID, f.GID = uint32(w.UID), uint32(w.UID)
		if !w.Root() {
			f.Caps = 0
		}
		if _, ds := validate.Check(&q, f); !ds.HasErrors() {
			p = &q
		}
	}
	return p
}

func TestRandomPlans(t *testing.T) {
	seed := hosttest.Seed(t)
	n := 60
	if testing.Short() {
		n = 10
	}
	each(t, func(t *testing.T, w who) {
		d := w.randomHost(t)
		look := func() string { // not at the places beside upper directories, where work directories come and go
			var list []string
			for _, name := range []string{"usr", "a", "b", "etc", "low", "up/a", "up/b"} {
				list = append(list, tree(t, d+"/"+name))
			}
			return strings.Join(list, "")
		}
		before := look()
		for i := range n {
			p := w.randomPlan(rand.New(rand.NewPCG(seed, uint64(i))), d)
			r := w.plan(t, p)
			if r.Code != 127 && r.Code != 126 { // the root may be of mode 0
				b, _ := p.JSON()
				t.Errorf("seed %d, plan %d: %s\n%s", seed, i, r, b)
			}
			if after := look(); after != before {
				t.Fatalf("seed %d, plan %d: the host has changed:\n%s\nwas:\n%s", seed, i, after, before)
			}
		}
	})
}
