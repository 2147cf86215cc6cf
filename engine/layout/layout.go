// Package layout works out where each operation of a plan lands: in which
// mount, what is there already, and what has to be made first.
//
// It walks the sandbox's tree as the kernel will, symlinks included, over what
// the plan puts there and what the host's files are (package host). The result
// is plain data: validate reports its faults, compile turns it into system calls.
package layout

import (
	"cmp"
	"slices"
	"strings"
	"syscall"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// Layout is the plan's operations in the order in which they are done.
type Layout struct {
	Root  *Step // the operation that makes the root; nil: an empty tmpfs
	Steps []*Step
	Diags plan.Diagnostics

	tree *builder
}

// Type returns what is at an absolute path of the finished sandbox, following
// symlinks; Unknown where that cannot be told, as in /proc.
func (l *Layout) Type(path string) host.FileType {
	f := l.tree.walk(path, true)
	switch r := l.tree.regionOf(f.path); {
	case r.step != nil && r.step.Op.Kind == plan.Proc:
		return host.Unknown
	case f.errno == syscall.ENOTDIR:
		return f.kind
	case f.errno != 0:
		return host.Unknown
	case len(f.rest) > 0:
		return host.Missing
	}
	return f.kind
}

// Missing returns what does not exist where an absolute path of the finished sandbox
// leads over symlinks; "": it exists, or that cannot be told.
func (l *Layout) Missing(path string) string {
	f := l.tree.walk(path, true)
	if f.errno != 0 || len(f.rest) == 0 {
		return ""
	}
	return join(f.path, strings.Join(f.rest, "/"))
}

// Mode returns the permission bits of what is at an absolute path of the finished
// sandbox, following symlinks, where they are known.
func (l *Layout) Mode(path string) (mode uint32, known bool) {
	b := l.tree
	f := b.walk(path, true)
	if !f.exists() || f.path == "/" || slices.ContainsFunc(l.Steps, func(s *Step) bool { return s.Op.Kind == plan.Chmod && s.Target.Path == f.path }) {
		return 0, false
	}
	var p host.Path
	if n := b.node(f.path); n == nil {
		p, _ = b.entry(f.path)
	} else if n.step != nil && n.step.Op.Kind == plan.Bind && !n.step.Op.Inside {
		p = b.source(n.step.Op)
	}
	return p.Mode, p.Type == host.File || p.Type == host.Dir
}

// Step is one operation and where it lands.
type Step struct {
	// Op is an operation of the plan; for a mkdir() with a mode whose directory is
	// there already, the chmod() that it comes down to.
	Op    *plan.Op
	Index int // in the plan

	// Dir says that the thing that lands is a directory.
	Dir bool
	// Target is where it lands. With Done, it is there already.
	Target Target
	Done   bool

	// Source is, of a bind inside the sandbox, the canonical path it binds.
	Source string

	// Hold are the canonical paths of directories and symlinks, outermost first, that
	// are bound onto themselves before the step: a mount point cannot be renamed.
	Hold []string

	// Skeletons are read-only overlays to be mounted right after this step, so
	// that what later steps need in its read-only tree exists.
	Skeletons []*Skeleton
	// Extra are entries that the step's own overlay has on top of its layers, in a
	// layer of their own; ExtraBy is the first operation that asks for any.
	Extra   []*Entry
	ExtraBy *plan.Op

	skel *Skeleton // that makes the thing, or its mount point
}

// Place says what kind of tree a path lies in, and so who may make things there.
type Place uint8

// The places.
const (
	Own      Place = iota // memory of the sandbox's own
	Writable              // the host's files, writable
	ReadOnly              // the host's files, read-only: Skeletons provide what is missing
)

// Target is a place in the sandbox. Paths are canonical: absolute, with no
// symlinks in them.
type Target struct {
	Path   string        // "/" or the path of the thing itself
	Place  Place         // what kind of tree holds it
	Exists host.FileType // what is there before
	Make   []string      // directories to be made first, outermost first
	// Ready says that a skeleton has made the thing itself, whole.
	Ready bool
	// Direct says that what is missing may be made even where Place is the host's.
	Direct bool
}

// Aside returns what is made first for a ".." on the way, and is not above the path.
func (t *Target) Aside() []string {
	var dirs []string
	for _, dir := range t.Make {
		if !plan.Within(t.Path, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// Entry is one thing that a skeleton provides.
type Entry struct {
	Rel  string // path below the skeleton's root
	Kind host.FileType
	Mode uint32 // of a directory that is there already, for it to keep; 0: a new one
	Step *Step  // what it is for; for a Symlink, a write or a copy the step itself
}

// Skeleton is a directory with a few things added to it, without touching it.
type Skeleton struct {
	Path    string // canonical path in the sandbox
	Source  string // the directory on the host
	Base    string // what is bound, of which Source is a part
	Mode    uint32 // of that directory
	Entries []*Entry
	// Mirror holds the entries of Source where an overlay will not do, since
	// other file systems are mounted below Source; they are bound one by one.
	Mirror []host.Entry
	mirror bool
}

// UseMirror reports whether the skeleton binds the entries one by one.
func (s *Skeleton) UseMirror() bool { return s.mirror }

// region is one mount of the sandbox.
type region struct {
	path  string // canonical mount point
	place Place
	// layers are the host directories whose union it shows, top first; none for
	// the sandbox's own.
	layers []string
	step   *Step // what made it; nil: the root tmpfs
	skels  map[string]*Skeleton
	masked bool

	// alias is, of a bind inside the sandbox, the path whose tree it shows; ro
	// that it shows it read-only.
	alias string
	ro    bool

	merged map[string][]string // of an overlay: the layers of its directories
}

// node is something that the plan itself put at a path.
type node struct {
	kind   host.FileType
	target string    // of a symlink
	mount  *region   // mounted here
	skel   *Skeleton // a skeleton made it
	step   *Step
	under  *node // of a mask: what the plan has put there before
}

// room is what a step needs of the tree.
type room struct {
	region region
	node   node
	layer  [1]string // of a bind
}

// room returns an empty one; they are made all at once.
func (b *builder) room() *room {
	if len(b.rooms) == 0 {
		b.rooms = make([]room, max(8, cap(b.out.Steps)-len(b.out.Steps)))
	}
	r := &b.rooms[0]
	b.rooms = b.rooms[1:]
	return r
}

type builder struct {
	facts *host.Facts
	given bool // plan.OrderGiven
	out   *Layout
	nodes map[string]*node
	root  *region
	rooms []room // those left

	last   string  // the last of the targets so far in the order of comparePaths
	hidden []*Step // earlier steps, in order, that the one just placed hides
	missed []*Step // masks, in order, that found nothing where symlinks lead so far
	index  *index  // of what is placed; nil while nobody asked

	follows *[]string       // where not nil, walk adds the symlinks that it follows
	held    map[string]bool // what is held already
}

// Build lays out the plan's operations, except those that skip names by index:
// they are faulty in themselves.
func Build(p *plan.Plan, f *host.Facts, skip func(int) bool) *Layout {
	b := newBuilder(p, f)
	if b.given {
		for _, s := range b.inOrder(p, skip) {
			b.place(s)
		}
		return b.out
	}
	steps := b.order(p, skip)
	for round := 0; ; round++ {
		at := b.placeAll(steps, round == maxRounds)
		var after map[*Step][]*Step // what is to come after which step
		if at >= 0 {
			// What a mount would hide, since a symlink led there, comes after it.
			after = map[*Step][]*Step{steps[at]: b.hidden}
		} else if after = b.found(steps, round == maxRounds); len(after) == 0 {
			return b.out
		}
		steps = move(steps, after)
		for _, s := range steps {
			*s = Step{Op: &p.Ops[s.Index], Index: s.Index}
		}
		b = newBuilder(p, f)
	}
}

// move returns the steps in another order.
func move(steps []*Step, after map[*Step][]*Step) []*Step {
	moved := map[*Step]bool{}
	for _, list := range after {
		for _, s := range list {
			moved[s] = true
		}
	}
	out := make([]*Step, 0, len(steps))
	for _, s := range steps {
		if !moved[s] {
			out = append(out, s)
			out = append(out, after[s]...)
		}
	}
	return out
}

// maxRounds bounds how often the operations are put into another order.
const maxRounds = 50

func newBuilder(p *plan.Plan, f *host.Facts) *builder {
	b := &builder{facts: f, given: p.Order == plan.OrderGiven, nodes: make(map[string]*node, len(p.Ops)+8)}
	b.out = &Layout{tree: b, Steps: make([]*Step, 0, len(p.Ops))}
	b.root = &region{path: "/"}
	b.nodes["/"] = &node{kind: host.Dir, mount: b.root}
	return b
}

// placeAll places the steps, and returns the index of one that would hide
// earlier ones, b.hidden, or -1. In the last round that is a fault.
func (b *builder) placeAll(steps []*Step, last bool) int {
	for i, s := range steps {
		b.place(s)
		if b.hidden == nil {
			continue
		}
		if !last {
			return i
		}
		b.fault(s.Op, "", "destination %q hides what is to come to %q", s.Op.Dst, b.hidden[0].Op.Dst)
		b.hidden = nil
	}
	return -1
}

// inOrder returns the operations in the order given.
func (b *builder) inOrder(p *plan.Plan, skip func(int) bool) []*Step {
	steps := make([]*Step, 0, len(p.Ops))
	all := make([]Step, len(p.Ops)) // one allocation
	for i := range p.Ops {
		op := &p.Ops[i]
		if skip != nil && skip(i) || b.absent(op) {
			continue
		}
		all[i] = Step{Op: op, Index: i}
		steps = append(steps, &all[i])
	}
	return steps
}

// order returns the operations in the order in which they are done: parents
// before children, then what depends on other parts of the sandbox. Of several
// at one destination the last call wins.
func (b *builder) order(p *plan.Plan, skip func(int) bool) []*Step {
	steps := make([]*Step, 0, len(p.Ops))
	all := make([]Step, len(p.Ops)) // one allocation
	keys := make([]string, len(p.Ops))
	phases := make([]uint8, len(p.Ops))
	inside := map[string]bool{}
	for i := range p.Ops {
		op := &p.Ops[i]
		if skip != nil && skip(i) || b.absent(op) {
			continue
		}
		s := &all[i]
		s.Op, s.Index = op, i
		keys[i] = clean(string(op.Dst))
		if op.Kind == plan.Bind && op.Inside {
			inside[keys[i]] = true
		}
		steps = append(steps, s)
	}
	for _, s := range steps {
		phases[s.Index] = phase(s.Op, keys[s.Index], inside)
	}
	compare := func(x, y *Step) int {
		if d := int(phases[x.Index]) - int(phases[y.Index]); d != 0 {
			return d
		}
		return plan.ComparePaths(keys[x.Index], keys[y.Index])
	}
	if !slices.IsSortedFunc(steps, compare) { // most scripts are written in order
		slices.SortFunc(steps, func(x, y *Step) int { return cmp.Or(compare(x, y), x.Index-y.Index) })
	}
	kept := steps[:0]
	for i, s := range steps {
		if i+1 < len(steps) && compare(s, steps[i+1]) == 0 {
			switch next := steps[i+1]; {
			case next.Op.Kind == plan.Mask && s.Op.Kind == plan.Mask:
				if next.Op.Optional { // once is enough; the stricter of the two
					steps[i+1] = s
				}
			case s.Op.Recursive && !next.Op.Recursive: // remounts below it, which the later one leaves alone
				kept = append(kept, s)
			case next.Op.Kind == plan.Mask: // hides what is there, and needs it
				kept = append(kept, s)
			case setsMode(next.Op) && s.Op.Kind != plan.Mkdir && b.makesDir(s.Op):
				kept = append(kept, s)
			case next.Op.Kind == plan.Mkdir && b.makesDir(s.Op) && !(s.Op.Kind == plan.Mkdir && next.Op.Mode != nil):
				steps[i+1] = s // a directory asked for where one is: nothing to do
			}
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// The phases of the making: what shows other parts of the sandbox, or changes
// them, needs those whole.
const (
	phaseMake uint8 = iota
	phaseInside
	phaseChmod
	phaseRemount
)

// phase returns the phase of an operation at dst; inside has the destinations
// of the binds inside the sandbox.
func phase(op *plan.Op, dst string, inside map[string]bool) uint8 {
	switch op.Kind {
	case plan.Chmod:
		return phaseChmod
	case plan.RemountRO:
		return phaseRemount
	}
	if len(inside) == 0 {
		return phaseMake
	}
	for ; ; dst, _ = split(dst) {
		if inside[dst] {
			return phaseInside
		}
		if dst == "/" {
			return phaseMake
		}
	}
}

// makesDir reports whether op leaves a directory at its destination.
func (b *builder) makesDir(op *plan.Op) bool {
	switch op.Kind {
	case plan.Symlink, plan.Write, plan.Copy:
		return false
	case plan.Bind:
		return op.Inside || b.source(op).Type == host.Dir
	}
	return true
}

// absent reports whether op is optional and its source is not there.
func (b *builder) absent(op *plan.Op) bool {
	return op.Kind == plan.Bind && op.Optional && !op.Inside && b.source(op).Type == host.Missing
}

func (b *builder) source(op *plan.Op) host.Path {
	if op.NoFollow {
		return b.facts.Lstat(b.facts.Source(op))
	}
	p := b.facts.Stat(b.facts.Source(op))
	if p.Type == host.Missing && op.CreateSrc && b.facts.Lstat(b.facts.Source(op)).Type == host.Missing {
		return host.Path{Type: host.Dir, Mode: 0o700} // it will be there
	}
	return p
}

// isClean reports whether clean would leave p as it is; of some that it would it says no.
func isClean(p string) bool {
	for i := 1; i < len(p); i++ {
		if p[i-1] == '/' && (p[i] == '/' || p[i] == '.') {
			return false
		}
	}
	return len(p) <= 1 || p[len(p)-1] != '/'
}

// clean returns an absolute path without empty and "." components. Paths with
// ".." never come here.
func clean(p string) string {
	if isClean(p) {
		return p
	}
	var b strings.Builder
	for c := range strings.SplitSeq(p, "/") {
		if c != "" && c != "." {
			b.WriteString("/" + c)
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// join appends a component to a canonical path.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// split returns the directory and the last component of a canonical path.
func split(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	if i == 0 {
		return "/", p[1:]
	}
	return p[:i], p[i+1:]
}

// rebase returns p, which lies within from, at the same place within to.
func rebase(p, from, to string) string {
	if p == from {
		return to
	}
	return join(to, below(p, from))
}

// below returns the path of p relative to dir, which it lies within; "" for itself.
func below(p, dir string) string {
	if dir == "/" {
		return p[1:]
	}
	return strings.TrimPrefix(p[len(dir):], "/")
}
