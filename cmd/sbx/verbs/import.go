package verbs

// The verb import: the command line of another program as a script.

import (
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"sbx/engine/argv/bwrap"
	"sbx/engine/argv/mkosi"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/starlark/script"
)

// importCmd is the verb's grammar. The words of the other program are cut off
// before kong sees them.
type importCmd struct {
	Bwrap    importBwrap    `cmd:"" name:"bwrap" help:"The command line of bubblewrap."`
	Mkosi    importMkosi    `cmd:"" name:"mkosi-sandbox" help:"The command line of mkosi-sandbox(1)."`
	Sandboxa importSandboxa `cmd:"" name:"sandboxa" help:"A configuration file of sandboxa, for sbx run."`
}

func (*importCmd) Help() string {
	return `Prints a script that makes the same sandbox: sbx import bwrap -- ARGS… | sbx exec -

What stands after "--" are the words of the other program, without its own name.`
}

// importBwrap is the grammar of import bwrap.
type importBwrap struct {
	lossFlags `embed:""`
}

func (*importBwrap) Help() string {
	return `File descriptors that bwrap would read, such as that of --args, are read now; those that it passes on or binds keep their numbers.`
}

func (c *importBwrap) run(args []string) int {
	cwd, _ := os.Getwd() // the reader says what needs one
	line, err := bwrap.Parse(args, bwrap.Options{Dir: cwd, Read: readDescriptor})
	if err == nil {
		err = line.Check(uint32(os.Getuid()), uint32(os.Getgid()))
	}
	sources := map[string][]byte{bwrap.File: wordLines(line.Words)}
	var ds plan.Diagnostics
	for _, w := range line.Warnings {
		ds = append(ds, plan.Diagnostic{Severity: plan.Warning, Msg: w})
	}
	at := func(word int) (o plan.Origin) {
		if word > 0 {
			o.Pos = plan.Pos{File: bwrap.File, Line: int32(word), Col: 1}
		}
		return o
	}
	var e *bwrap.Error
	switch {
	case errors.As(err, &e) && e.Usage:
		ds = append(ds, plan.Diagnostic{Msg: "the command line names no command", Hint: "it stands at the end: sbx import bwrap -- --ro-bind / / ls"})
	case e != nil:
		ds = append(ds, plan.Diagnostic{At: at(e.Word), Msg: e.Msg})
	case err != nil:
		ds = append(ds, plan.Diagnostic{Msg: err.Error()})
	case line.Help || line.Version:
		ds = append(ds, plan.Diagnostic{Msg: "the command line makes no sandbox"})
	case line.ExecLabel != "" || line.FileLabel != "":
		ds = append(ds, plan.Diagnostic{Msg: "labels of SELinux cannot be said"})
	}
	if report(sources, ds...); ds.HasErrors() {
		return exitSetup
	}
	return c.print("bwrap", args, line.Plan, bwrap.New(), sources)
}

// readDescriptor reads all of an inherited file descriptor, and closes it.
func readDescriptor(fd int) ([]byte, error) {
	f := os.NewFile(uintptr(fd), "file descriptor")
	if f == nil {
		return nil, syscall.EBADF
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPlan))
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return b, err
}

// wordLines is a source for diagnostics whose lines are words.
func wordLines(words []string) []byte {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(word(w) + "\n")
	}
	return []byte(b.String())
}

// toBwrap returns the command line of a plan for bubblewrap.
func toBwrap(p *plan.Plan) (foreignLine, plan.Diagnostics) {
	links(p, false)
	p, _, beyond := settle(p, false)
	guardProc(p, "sys") // access(2) says that it is not writable, and bubblewrap believes it
	argv, inputs, lost := bwrap.Print(p)
	return foreignLine{append([]string{"bwrap"}, argv...), inputs}, append(beyond, lost...)
}

// guardProc has parts of each /proc made read-only by the other program, where root of
// the machine could write to them, and sbx does not let it.
func guardProc(p *plan.Plan, names ...string) {
	f, err := hostFacts(p)
	if err != nil || p.Order != plan.OrderTree || !f.OwnsProc(p) {
		return
	}
	for _, o := range p.Ops {
		for _, name := range names {
			dst := path.Join(string(o.Dst), name)
			taken := func(x plan.Op) bool { return path.Clean(string(x.Dst)) == dst }
			if o.Kind == plan.Proc && !slices.ContainsFunc(p.Ops, taken) {
				p.Ops = append(p.Ops, plan.Op{Kind: plan.Bind, Src: plan.Str("/proc/" + name), Dst: plan.Str(dst), RO: true, Optional: true, At: o.At})
			}
		}
	}
}

// importMkosi is the grammar of import mkosi-sandbox.
type importMkosi struct {
	lossFlags `embed:""`
}

func (*importMkosi) Help() string {
	return `What mkosi-sandbox leaves to the host is in the script as an ordinary user has it: --suppress-chown goes for root as well.`
}

func (c *importMkosi) run(args []string) int {
	cwd, _ := os.Getwd()
	line, ds := mkosi.Parse(args, cwd)
	sources := map[string][]byte{mkosi.File: mkosi.Source(args)}
	if line.Help || line.Version {
		ds = append(ds, plan.Diagnostic{Msg: "the command line makes no sandbox"})
	}
	if report(sources, ds...); ds.HasErrors() {
		return exitSetup
	}
	fromMkosi(line.Plan)
	return c.print("mkosi-sandbox", args, line.Plan, mkosi.New(), sources)
}

// fromMkosi adds to a plan what mkosi-sandbox does beside its options: its filters
// need no_new_privs, and files have modes by the caller's umask.
func fromMkosi(p *plan.Plan) {
	p.NoNewPrivs = p.SuppressChown || p.SuppressSync
	umask := syscall.Umask(0o22)
	if syscall.Umask(umask); umask == 0o22 {
		return // the usual mode it is
	}
	for i := range p.Ops {
		if o := &p.Ops[i]; o.Kind == plan.Write && o.Mode == nil {
			o.Mode = plan.ModePtr(plan.Mode(0o666 &^ umask))
		}
	}
}

// toMkosi returns the command line of a plan for mkosi-sandbox, which does what
// fromMkosi adds without being told.
func toMkosi(p *plan.Plan) (foreignLine, plan.Diagnostics) {
	links(p, true)
	p, special, beyond := settle(p, true)
	q := *p
	guardProc(&q, host.ProcOfRoot[:]...)
	if p.SuppressChown || p.SuppressSync {
		q.NoNewPrivs = false
	}
	argv, lost := mkosi.PrintOn(&q, special)
	return foreignLine{argv: append([]string{"mkosi-sandbox"}, argv...)}, append(beyond, lost...)
}

// print prints the script of a plan; base is that of the program without options.
func (f *lossFlags) print(program string, args []string, p, base *plan.Plan, sources map[string][]byte) int {
	host.OwnPaths(p)
	text, lost := script.PrintLike(p, importHead(program, args), base, "What "+program+" does by itself:")
	if !f.lost(sources, lost) {
		return exitSetup
	}
	return out(text)
}

// maxHead is the most lines that the command line takes in the script's comment.
const maxHead = 12

// importHead returns the comment of a script: the command line that it is from.
func importHead(program string, args []string) string {
	words := []string{program}
	for _, a := range args {
		words = append(words, clip(word(a), 200))
	}
	lines := foldWords(words, 90)
	if len(lines) > maxHead {
		lines = append(lines[:maxHead-1], "…")
	}
	return "The sandbox of this command line:\n\n  " + strings.Join(lines, "\n      ") + "\n"
}
