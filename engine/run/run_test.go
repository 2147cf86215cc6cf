//go:build linux

package run_test

import (
	"errors"
	"os"
	"testing"

	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/validate"
)

func TestSmoke(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true},
		{Kind: plan.Symlink, Target: "usr/bin", Dst: "/bin"},
		{Kind: plan.Symlink, Target: "usr/lib", Dst: "/lib"},
		{Kind: plan.Symlink, Target: "usr/lib64", Dst: "/lib64"},
		{Kind: plan.Dev, Dst: "/dev"},
		{Kind: plan.Proc, Dst: "/proc"},
		{Kind: plan.Tmpfs, Dst: "/tmp"},
	}
	p.Command = []plan.Str{"sh", "-c", "id; ls -la / /dev; cat /proc/self/mountinfo; grep -E 'Cap|NoNew|Secc' /proc/self/status; exit 7"}
	f := host.Live(p)
	l, ds := validate.Check(p, f)
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	prog, err := compile.Compile(p, l, f, compile.Options{Debug: os.Getenv("DBG") != ""})
	if err != nil {
		t.Fatal(err)
	}
	st, err := run.Run(prog)
	var fail *run.Failure
	if errors.As(err, &fail) {
		in := prog.Insts[fail.Inst]
		t.Fatalf("%+v %+v %+v", fail, in, prog.Refs[in.Ref])
	}
	t.Log(st.Exited(), st.ExitStatus(), err)
}
