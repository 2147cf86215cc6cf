package project

// Additions: what a project's file adds to the sandbox, in a form in which two
// evaluations of it can be compared. A file that did not change can add something
// else all the same: what it asked of the host has another answer by now, perhaps
// given by what runs in the sandbox.

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
	"sbx/engine/sha256"
	"sbx/starlark/eval"
)

// Addition is one thing that a file adds.
type Addition struct {
	Kind  string   `json:"kind"`            // one of those below
	Name  plan.Str `json:"name,omitempty"`  // of kindOp the place, of others what is set
	What  string   `json:"what"`            // for people
	Tight bool     `json:"tight,omitempty"` // it only takes away
	// Sums are digests of the forms in which it can be recognized; two additions
	// with one in common are the same. The first is of what it is word for word; others
	// leave open what is the caller's environment, but for the sources of binds that are no
	// socket of a login's, or the content of a file that is copied.
	Sums []string `json:"sums"`

	At plan.Origin `json:"-"`
}

// The kinds of additions.
const (
	kindOp       = "operation"
	kindEnv      = "variable"
	kindSetting  = "setting"
	kindTemplate = "template" // with all that it does: it is part of sbx
	kindExtra    = "extra path"
	kindExcluded = "excluded path"
)

// mark is how far an evaluation was before the project's file.
type mark struct {
	ops, env, calls, uses int
	settings              map[string]string
}

func markOf(l *eval.Layers) mark {
	p := l.Plan()
	return mark{len(p.Ops), len(p.Env), len(l.Calls()), len(l.Uses()), fields(p)}
}

// additions returns what has been added since.
func (r *run) additions(l *eval.Layers, since mark) []Addition {
	p := l.Plan()
	b := adder{known: map[string][]string{}}
	for _, in := range p.Inputs {
		switch {
		case in.Kind == "env" && len(in.Value) > 1:
			b.known[string(in.Value)] = append(b.known[string(in.Value)], "variable "+string(in.Name))
		case in.Kind == "file" && fixed(string(in.Name)):
			b.known["sha256 "+string(in.Value)] = append(b.known["sha256 "+string(in.Value)], "file "+string(in.Name))
			b.files = true
		}
	}
	uses := l.Uses()[since.uses:]
	ops, env := make([]bool, len(p.Ops)), make([]bool, len(p.Env)) // those of templates
	for i := range uses {
		u := &uses[i]
		for i := u.Ops[0]; i < u.Ops[1]; i++ {
			ops[i] = true
		}
		for i := u.Env[0]; i < u.Env[1]; i++ {
			env[i] = true
		}
		b.add(Addition{Kind: kindTemplate, Name: plan.Str(u.Name), What: "template " + u.Name + "(" + clip(u.Args) + ")", At: u.At}, u.Name, u.Args)
	}
	// Of several operations at one place the last counts.
	last := map[string]int{}
	for i := since.ops; i < len(p.Ops); i++ {
		if !ops[i] {
			last[filepath.Clean(string(p.Ops[i].Dst))] = i
		}
	}
	for i := since.ops; i < len(p.Ops); i++ {
		if j, ok := last[filepath.Clean(string(p.Ops[i].Dst))]; ok && i == j {
			b.op(&p.Ops[i])
		}
	}
	if p.Order != plan.OrderTree { // there all count
		all := slices.Clone(p.Ops[since.ops:])
		for i := range all {
			all[i].At = plan.Origin{}
		}
		b.add(Addition{Kind: kindSetting, Name: "order", What: "the order of the operations", At: p.Where["order"]}, marshal(all))
	}
	named := map[string]int{}
	for i := since.env; i < len(p.Env); i++ {
		if !env[i] {
			named[string(p.Env[i].Name)] = i // "" for clearenv
		}
	}
	for i := since.env; i < len(p.Env); i++ {
		if j, ok := named[string(p.Env[i].Name)]; ok && i == j {
			b.env(&p.Env[i])
		}
	}
	now := fields(p)
	for _, k := range names(now, since.settings) {
		if now[k] != since.settings[k] {
			b.add(Addition{Kind: kindSetting, Name: plan.Str(k), What: "setting " + k + " = " + clip(shown(now[k])), Tight: tightSetting(k, now[k]), At: whereOf(p, k)}, k, now[k])
		}
	}
	for _, c := range l.Calls()[since.calls:] {
		for _, path := range c.ExtraDataPaths {
			a, words := Addition{Kind: kindExtra, Name: path, What: "extra data path " + strconv.Quote(string(path)), At: c.At}, []string{string(path)}
			if given, _, err := r.path(Value{Text: string(path)}); err == nil {
				words = append(words, a.leads(given, true)...)
			}
			b.add(a, words...)
		}
		for _, path := range c.ExcludedPaths {
			b.add(Addition{Kind: kindExcluded, Name: path, What: "excluded path " + strconv.Quote(string(path)), Tight: true, At: c.At}, string(path))
		}
		if c.RefuseIfExists != nil {
			b.add(Addition{Kind: kindSetting, Name: "refuse_if_exists", What: "setting refuse_if_exists = " + clip(marshal(c.RefuseIfExists)), At: c.At}, marshal(c.RefuseIfExists))
		}
	}
	return b.list
}

// adder makes a list of additions.
type adder struct {
	list  []Addition
	known map[string][]string // values of the environment, "sha256 " and digests of files: what they are of
	files bool
}

// add appends an addition, word for word that.
func (b *adder) add(a Addition, words ...string) {
	a.Sums = append(a.Sums, sum(append([]string{a.Kind, string(a.Name)}, words...)...))
	slices.Reverse(a.Sums)
	b.list = append(b.list, a)
}

// leads says of an addition where a path leads over symlinks, and returns that as a
// part of what it is: the file may stay as it is while a link comes to lead elsewhere.
func (a *Addition) leads(path string, leaf bool) []string {
	real := leadsTo(path, leaf)
	if real == "" {
		return nil
	}
	a.What += ", which leads to " + strconv.Quote(real)
	return []string{real}
}

func (b *adder) op(op *plan.Op) {
	o := *op
	o.At, o.Dst = plan.Origin{}, plan.Str(filepath.Clean(string(op.Dst)))
	a := Addition{Kind: kindOp, Name: o.Dst, What: string(op.Kind) + " " + strconv.Quote(string(op.Dst)), Tight: tight(op), At: op.At}
	var words []string
	switch op.Kind {
	case plan.Bind, plan.Copy:
		if op.Src != op.Dst {
			a.What = string(op.Kind) + " " + strconv.Quote(string(op.Src)) + " at " + strconv.Quote(string(op.Dst))
		}
		if len(b.known[string(op.Src)]) > 0 {
			a.What += ", from " + strings.Join(b.known[string(op.Src)], " or ")
		}
		if !op.Inside {
			words = append(words, a.leads(string(op.Src), !op.NoFollow)...)
		}
		if op.Kind == plan.Bind && !op.RO {
			a.What += ", writable"
		}
	case plan.Symlink:
		a.What += " to " + strconv.Quote(string(op.Target))
	case plan.Overlay:
		for _, path := range append(slices.Clone(op.Lower), op.Upper, op.Work) {
			words = append(words, a.leads(string(path), true)...)
		}
	}
	of := map[string]bool{}
	for _, s := range []plan.Str{o.Src, o.Dst, o.Target, o.Data} {
		for _, name := range b.known[string(s)] {
			of[name] = true
		}
	}
	for _, name := range names(of, of) {
		if o.Src != "" && slices.Contains(b.known[string(o.Src)], name) && !varies(strings.TrimPrefix(name, "variable ")) {
			continue // what is shown is what was trusted, though the shell sets $OLDPWD
		}
		q := o
		for _, s := range []*plan.Str{&q.Src, &q.Dst, &q.Target, &q.Data} {
			if slices.Contains(b.known[string(*s)], name) {
				*s = ""
			}
		}
		a.Sums = append(a.Sums, sum(kindOp, name, marshal(q)))
	}
	if b.files && o.Kind == plan.Write {
		h := sha256.Sum256([]byte(o.Data))
		q := o
		q.Data = ""
		for _, name := range b.known["sha256 "+hex.EncodeToString(h[:])] {
			a.Sums = append(a.Sums, sum(kindOp, name, marshal(q)))
		}
	}
	b.add(a, append([]string{marshal(o)}, words...)...)
}

func (b *adder) env(e *plan.EnvOp) {
	o := *e
	o.At = plan.Origin{}
	a := Addition{Kind: kindEnv, Name: e.Name, What: strings.TrimRight(string(e.Kind)+" "+string(e.Name), " "), At: e.At,
		Tight: e.Kind == plan.UnsetEnv || e.Kind == plan.ClearEnv}
	if e.Kind == plan.SetEnv {
		if !eval.IsSecretEnv(string(e.Name), string(e.Value)) {
			a.What += "=" + clip(string(e.Value))
		}
		for _, name := range b.known[string(e.Value)] {
			a.Sums = append(a.Sums, sum(kindEnv, string(e.Name), name))
		}
	}
	b.add(a, marshal(o))
}

// fixed reports whether a file can neither be changed by the caller nor replaced:
// what it holds is the administrator's, then, at any time.
func fixed(path string) bool {
	for _, p := range []string{filepath.Clean(path), canonical(path)} {
		for ; ; p = filepath.Dir(p) {
			if unix.Access(p, unix.W_OK) == nil {
				return false
			}
			if p == "/" || p == "." {
				break
			}
		}
	}
	return true
}

// sum is the digest of a list of words.
func sum(words ...string) string {
	h := sha256.New()
	for _, w := range words {
		fmt.Fprintf(h, "%d %s\n", len(w), w)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sbx bug: plan does not marshal: " + err.Error())
	}
	return string(b)
}

// clip shortens what people are to read.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}

// names returns the keys of two maps, sorted.
func names[V, W any](x map[string]V, y map[string]W) []string {
	var list []string
	for k := range x {
		list = append(list, k)
	}
	for k := range y {
		if _, ok := x[k]; !ok {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	return list
}

// newSince compares what a file adds now with what it added when it was trusted.
// Whatever is not tight has to have been there. What is there no more is fine,
// unless it was in the way of something. added are the operations of the plan p
// that are the file's, which is of the project dir.
func newSince(was, now []Addition, dir string, p *plan.Plan, added []plan.Op) (fresh, lost []Addition) {
	known, left := map[string]bool{}, map[string]bool{}
	for i := range was {
		for _, s := range was[i].Sums {
			known[s] = true
		}
	}
	place := map[string]bool{} // told already
	for i := range now {
		a := &now[i]
		isNew := true
		for _, s := range a.Sums {
			left[s] = true
			isNew = isNew && !known[s]
		}
		if isNew && !a.Tight {
			fresh = append(fresh, *a)
			place[a.Kind+string(a.Name)] = true
		}
	}
	settings := fields(p)
	for i := range was {
		a := &was[i]
		if !slices.ContainsFunc(a.Sums, func(s string) bool { return left[s] }) && !place[a.Kind+string(a.Name)] && loses(a, now, dir, settings, added) {
			lost = append(lost, *a)
		}
	}
	return fresh, lost
}

// loses reports whether something is in reach without an addition that was not
// with it.
func loses(a *Addition, now []Addition, dir string, settings map[string]string, added []plan.Op) bool {
	switch a.Kind {
	case kindOp:
		// What it was put over is the file's own doing, or else that of the sandbox without the file.
		under, over := "", (*plan.Op)(nil)
		for i := range added {
			op := &added[i]
			if dst := filepath.Clean(string(op.Dst)); plan.Within(string(a.Name), dst) && len(dst) >= len(under) && op.Kind != plan.Mkdir {
				under, over = dst, op
			}
		}
		switch {
		case over == nil && !a.Tight:
			return false
		case over == nil:
			return !missing(string(a.Name))
		case over.Kind == plan.Bind && !over.Inside && over.SrcFD == nil:
			return !missing(filepath.Join(string(over.Src), strings.TrimPrefix(string(a.Name), under)))
		case over.Kind == plan.Tmpfs, over.Kind == plan.Mask:
			return false
		}
		return true
	case kindEnv:
		if a.Tight {
			return true
		}
		// What is passed on was to be another.
		return slices.ContainsFunc(now, func(b Addition) bool {
			return b.Kind == kindEnv && b.Name == a.Name && strings.HasPrefix(b.What, string(plan.PassEnv))
		})
	case kindSetting:
		switch a.Name {
		case "command", "chdir":
			return false
		}
		return !slices.Contains(a.Sums, sum(kindSetting, string(a.Name), string(a.Name), settings[string(a.Name)]))
	case kindExcluded:
		path := string(a.Name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return strings.ContainsAny(string(a.Name), `*?[~`) || !missing(path)
	}
	return false
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return absent(err)
}

// absent reports whether an error says that there is no such file: also because the
// directory is none, as below a home directory of /dev/null.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

// maxTold bounds how many additions are told at once.
const maxTold = 20

// tell returns what is new and what is lost as diagnostics.
func tell(fresh, lost []Addition) plan.Diagnostics {
	var ds plan.Diagnostics
	for _, a := range fresh {
		ds = append(ds, plan.Diagnostic{At: a.At, Msg: a.What + ": this is new"})
	}
	ds.Sort()
	for _, a := range lost {
		ds = append(ds, plan.Diagnostic{Msg: a.What + ": this is done no more"})
	}
	if n := len(ds); n > maxTold {
		ds = append(ds[:maxTold], plan.Diagnostic{Msg: fmt.Sprintf("and %d more", n-maxTold)})
	}
	return ds
}
