//go:build linux

package run_test

// Benchmarks of whole sandboxes.

import (
	"testing"

	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/validate"
)

// small is the standard small sandbox.
func small() *plan.Plan {
	p := plan.New()
	p.Ops = []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true},
		{Kind: plan.Symlink, Target: "usr/bin", Dst: "/bin"},
		{Kind: plan.Symlink, Target: "usr/lib", Dst: "/lib"},
		{Kind: plan.Symlink, Target: "usr/lib64", Dst: "/lib64"},
		{Kind: plan.Bind, Src: "/opt", Dst: "/opt", RO: true},
		{Kind: plan.Dev, Dst: "/dev"},
		{Kind: plan.Tmpfs, Dst: "/tmp"},
	}
	p.Command = []plan.Str{"/usr/bin/true"}
	return p
}

func benchmark(b *testing.B, p *plan.Plan) {
	f := host.Live(p)
	for b.Loop() {
		l, ds := validate.Check(p, f)
		if ds.HasErrors() {
			b.Fatal(ds)
		}
		prog, err := compile.Compile(p, l, f, compile.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if st, err := run.Run(prog); err != nil || st != 0 {
			b.Fatal(st, err)
		}
	}
}

// BenchmarkRun makes whole sandboxes, all but the start of sbx and the script.
func BenchmarkRun(b *testing.B) {
	b.Run("guard", func(b *testing.B) { benchmark(b, small()) })
	b.Run("direct", func(b *testing.B) {
		p := small()
		p.DieWithParent = false
		id := uint32(1) // so that root, too, needs a child
		p.Identity.UID = &id
		benchmark(b, p)
	})
	b.Run("pid", func(b *testing.B) {
		p := small()
		p.Unshare.PID = true
		benchmark(b, p)
	})
}
