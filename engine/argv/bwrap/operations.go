package bwrap

// Print: operations, as options in an order that means the same.

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/plan"
)

// unsaidOf names what an operation says and no option does, beside what operation
// has named.
func (w *writer) unsaidOf(o *plan.Op) {
	switch {
	case o.Content == plan.ContentMount && o.Kind == plan.Symlink:
		w.cannot(o.At, string(o.Kind), "%q is not mounted over what is there", o.Dst)
	case o.Devices != nil && *o.Devices && o.Kind == plan.Tmpfs:
		w.cannot(o.At, string(o.Kind), "devices do not work in it, %q", o.Dst)
	case o.Devices != nil && !*o.Devices && o.Kind == plan.Overlay:
		w.cannot(o.At, string(o.Kind), "devices work in it, %q", o.Dst)
	}
	switch {
	case o.Exact && o.Kind == plan.Overlay:
		w.cannot(o.At, string(o.Kind), "symlinks on the way to the layers of %q are followed", o.Dst)
	case o.Exact:
		w.cannot(o.At, string(o.Kind), "symlinks on the way to %q are followed", o.Src)
	}
}

// parents has the directories on the way to an operation's destination made before
// it, where bubblewrap would make them with another mode than they are to have.
func (w *writer) parents(o *plan.Op) {
	perms := plan.Mode(0)
	switch o.Kind {
	case plan.Chmod, plan.RemountRO, plan.Mask, plan.Copy: // need it, or are not written
		return
	case plan.Tmpfs, plan.Mkdir, plan.Write:
		perms = modeOf(o)
	}
	dst := path.Clean(string(o.Dst))
	want := plan.Mode(0o755)
	if o.ParentMode != nil {
		want = *o.ParentMode
	}
	differs := func(dst string, perms plan.Mode) bool {
		m := parentMode(plan.Str(dst), int(perms))
		return m != nil && *m != want
	}
	if !differs(string(o.Dst), perms) {
		if !o.Optional || o.Kind != plan.Bind {
			w.made = append(w.made, plan.Op{Kind: o.Kind, Dst: plan.Str(dst), UpperTmpfs: o.UpperTmpfs})
		}
		return
	}
	dirs := w.missing(dst, o.Create)
	if len(dirs) > 0 && want&0o6000 != 0 {
		w.cannot(o.At, string(o.Kind), "directories on the way to %q do not get the mode %v", o.Dst, want)
	}
	for i, dir := range dirs {
		if i+1 < len(dirs) && !differs(dirs[i+1], want) {
			continue // made on the way to the next one
		}
		if want != 0o755 {
			w.put("--perms", fmt.Sprintf("%04o", uint32(want)))
		}
		w.put("--dir", dir)
		w.made = append(w.made, plan.Op{Kind: plan.Mkdir, Dst: plan.Str(dir)})
	}
	if o.Optional && o.Kind == plan.Bind {
		if len(dirs) > 0 {
			w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, At: o.At, Op: "bind",
				Msg: fmt.Sprintf("directory %q is there even where %q is missing", dirs[len(dirs)-1], o.Src)})
		}
		return
	}
	w.made = append(w.made, plan.Op{Kind: o.Kind, Dst: plan.Str(dst), UpperTmpfs: o.UpperTmpfs})
}

// missing returns the directories on the way to dst that nothing has made so far,
// outermost first. In a tree of the host's there are none missing, or they are made
// there if create is set.
func (w *writer) missing(dst string, create bool) []string {
	var dirs []string
	for dir := path.Dir(dst); dir != "/"; dir = path.Dir(dir) {
	search:
		for i := len(w.made) - 1; i >= 0; i-- {
			o := &w.made[i]
			switch below := plan.Within(dir, string(o.Dst)); {
			case plan.Within(string(o.Dst), dir):
				return dirs // it is there, and so is what is above
			case below && (o.Kind == plan.Tmpfs || o.UpperTmpfs), below && create && hostTree(o):
				break search
			case below && hostTree(o):
				return dirs
			}
		}
		dirs = slices.Insert(dirs, 0, dir)
	}
	return dirs
}

// hostTree reports whether an operation shows what is elsewhere at its destination.
func hostTree(o *plan.Op) bool {
	return o.Kind != plan.Mkdir && o.Kind != plan.Symlink && o.Kind != plan.Write && o.Kind != plan.Tmpfs
}

// modeOf returns the mode of what a Tmpfs, Mkdir or Write makes.
func modeOf(o *plan.Op) plan.Mode {
	switch {
	case o.Mode != nil:
		return *o.Mode
	case o.Kind == plan.Write:
		return 0o644
	case strings.HasSuffix(strings.TrimRight(string(o.Dst), "/"), "/tmp"):
		return 0o1777
	}
	return 0o755
}

// operation writes one operation.
func (w *writer) operation(o *plan.Op) {
	cannot := func(format string, args ...any) { w.cannot(o.At, string(o.Kind), format, args...) }
	dst := string(o.Dst)
	perms := func(usual plan.Mode) {
		if m := modeOf(o); m != usual {
			w.put("--perms", fmt.Sprintf("%04o", uint32(m)))
		}
	}
	switch o.Kind {
	case plan.Bind:
		if o.CreateSrc {
			cannot("a missing source, %q, is not made", o.Src)
		}
		w.bind(o)
	case plan.Tmpfs:
		if o.Size > 0 {
			w.put("--size", strconv.FormatUint(o.Size, 10))
		}
		perms(0o755)
		w.put("--tmpfs", dst)
	case plan.Mkdir:
		perms(0o755)
		w.put("--dir", dst)
		if m := modeOf(o); m&0o6000 != 0 { // which mkdir(2) does not make
			w.put("--chmod", fmt.Sprintf("%04o", uint32(m)), dst)
		}
	case plan.Mqueue:
		w.put("--mqueue", dst)
	case plan.Dev:
		if !o.Bare {
			w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, At: o.At, Op: "dev", Msg: "there is no fuse in it, and shm is writable for its owner alone"})
		}
		w.put("--dev", dst)
	case plan.Proc:
		w.put("--proc", dst)
	case plan.Symlink:
		w.put("--symlink", string(o.Target), dst)
	case plan.Write:
		word := "--bind-data"
		switch {
		case o.Content == plan.ContentThrough:
			word = "--file"
			perms(0o666)
		case o.RO || w.remounted(dst):
			word = "--ro-bind-data"
			fallthrough
		default:
			perms(0o600)
		}
		w.put(word, w.input(o.Data), dst)
	case plan.Overlay:
		w.overlay(o)
	case plan.RemountRO:
		if o.Recursive {
			cannot("what is mounted below %q stays as it is", o.Dst)
		}
		w.put("--remount-ro", dst)
	case plan.Chmod:
		if o.UID != nil || o.GID != nil {
			cannot("owners cannot be set")
		}
		w.put("--chmod", fmt.Sprintf("%04o", uint32(*o.Mode)), dst)
	case plan.Copy:
		cannot("there are no copies; bind() %q, or write() what is in it", o.Src)
	case plan.Mask:
		cannot("%q cannot be masked; an empty tmpfs() or a bind() of /dev/null hides it", o.Dst)
	default:
		cannot("unknown operation")
	}
	if o.Foreign || o.Suid && o.Kind != plan.Overlay {
		cannot("at %q the owner or the effect of set-id programs is lost", o.Dst)
	}
}

// remounted reports whether a file of the sandbox's own is to be read-only since what
// it lies in becomes so: here it is a mount by itself.
func (w *writer) remounted(file string) bool {
	p := w.plan
	if p.Order != plan.OrderTree {
		return false
	}
	file = path.Clean(file)
	in, own := "/", true
	for i := range p.Ops {
		o := &p.Ops[i]
		dst := path.Clean(string(o.Dst))
		if dst == file || !plan.Within(file, dst) || len(dst) < len(in) {
			continue
		}
		switch o.Kind {
		case plan.Tmpfs, plan.Dev, plan.Bind, plan.Overlay, plan.Proc, plan.Mqueue:
			in, own = dst, o.Kind == plan.Tmpfs || o.Kind == plan.Dev || o.UpperTmpfs // else sbx mounts it, too
		}
	}
	return own && slices.ContainsFunc(p.Ops, func(o plan.Op) bool { return o.Kind == plan.RemountRO && path.Clean(string(o.Dst)) == in })
}

func (w *writer) bind(o *plan.Op) {
	src := string(o.Src)
	dev := src == "/" || src == "/dev" || strings.HasPrefix(src, "/dev/")
	if o.Devices != nil {
		dev = *o.Devices
	}
	if o.SrcFD != nil {
		word := "--bind-fd"
		if o.RO {
			word = "--ro-bind-fd"
		}
		w.put(word, strconv.Itoa(*o.SrcFD), string(o.Dst))
		return
	}
	if o.NoFollow || o.Inside {
		w.cannot(o.At, "bind", "%q is neither a path of the host, nor followed where it is a symlink", o.Src)
		return
	}
	word := "--bind"
	switch {
	case o.RO:
		word = "--ro-bind"
		if dev && o.Devices != nil {
			w.cannot(o.At, "bind", "devices do not work in what is bound read-only, %q", o.Src)
		}
	case dev:
		word = "--dev-bind"
	}
	if o.Optional {
		word += "-try"
	}
	w.put(word, src, string(o.Dst))
}

func (w *writer) overlay(o *plan.Op) {
	if o.Upper == "" && !o.UpperTmpfs && len(o.Lower) == 1 { // which takes two
		w.put("--ro-bind", string(o.Lower[0]), string(o.Dst))
		return
	}
	for _, l := range o.Lower {
		w.put("--overlay-src", string(l))
	}
	switch {
	case o.UpperTmpfs:
		w.put("--tmp-overlay", string(o.Dst))
	case o.Upper == "":
		w.put("--ro-overlay", string(o.Dst))
	default:
		work := string(o.Work)
		if work == "" {
			work = o.DefaultWork()
			w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, At: o.At, Op: "overlay", Msg: fmt.Sprintf("the work directory %q must be there", work)})
		}
		w.put("--overlay", string(o.Upper), work, string(o.Dst))
	}
}

// sorted returns operations by destination, parents first, and of several at one
// place the last, as plan.OrderTree has them done.
func sorted(ops []plan.Op) []plan.Op {
	list := slices.Clone(ops)
	key := func(o *plan.Op) []string {
		c := strings.FieldsFunc(string(o.Dst), func(r rune) bool { return r == '/' })
		return slices.DeleteFunc(c, func(s string) bool { return s == "." })
	}
	phase := func(o *plan.Op) int {
		switch o.Kind {
		case plan.Chmod:
			return 1
		case plan.RemountRO:
			return 2
		}
		return 0
	}
	compare := func(a, b plan.Op) int {
		if d := phase(&a) - phase(&b); d != 0 {
			return d
		}
		return slices.Compare(key(&a), key(&b))
	}
	slices.SortStableFunc(list, compare)
	var out []plan.Op
	for i := range list {
		if i+1 < len(list) && list[i+1].Kind != plan.Mask && (list[i+1].Recursive || !list[i].Recursive) && compare(list[i], list[i+1]) == 0 {
			if k := list[i].Kind; list[i+1].Kind == plan.Mkdir && k != plan.Mkdir && k != plan.Symlink && k != plan.Write && k != plan.Copy {
				list[i+1] = list[i] // a directory asked for where one is
			}
			continue
		}
		out = append(out, list[i])
	}
	return out
}
