package project

// Links: which directories sandboxes have had writable, so that a symlink that one
// of them may have made leads no other sandbox, of another project, elsewhere.

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
	"sbx/engine/sha256"
	"sbx/starlark/eval"
)

// maxLinks bounds how many symlinks one path leads over, as the kernel's 40 does.
const maxLinks = 40

// links returns where a path leads, as far as it exists, and the canonical
// directories in which the symlinks on the way lie; with leaf the last name is
// followed as well.
func links(path string, leaf bool) (real string, dirs []string) {
	real = "/"
	todo := strings.Split(filepath.Clean(path), "/")
	for n := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			real = filepath.Dir(real)
			continue
		}
		next := filepath.Join(real, name)
		if st, err := os.Lstat(next); err == nil && st.Mode()&os.ModeSymlink != 0 && (leaf || len(todo) > 0) {
			if target, err := os.Readlink(next); err == nil && n < maxLinks {
				n++
				dirs = append(dirs, real)
				if filepath.IsAbs(target) {
					real = "/"
				}
				todo = append(strings.Split(target, "/"), todo...)
				continue
			}
		}
		real = next
	}
	return real, dirs
}

// leadsTo returns where a path leads over symlinks that are not the
// administrator's, or "".
func leadsTo(path string, leaf bool) string {
	if !filepath.IsAbs(path) {
		return ""
	}
	real, dirs := links(path, leaf)
	for _, dir := range dirs {
		if !plan.Within(dir, "/proc") && !fixed(dir) {
			return real
		}
	}
	return ""
}

func (p Places) writtenDir() string { return filepath.Join(p.State, "writable") }

func (p Places) writtenName(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + " " + name))
	return filepath.Join(p.writtenDir(), hex.EncodeToString(sum[:]))
}

// NoteWritten notes directories that a sandbox is about to have writable, by
// their paths and by what they are known by when they are moved. A place where
// nothing can be noted is no error: nothing has been noted there before.
func (p Places) NoteWritten(dirs []string) error {
	if p.State == "" {
		return nil
	}
	for _, dir := range dirs {
		dir, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue
		}
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			continue
		}
		names := []string{p.writtenName("path", dir)}
		if id := identity(dir); id != "" {
			names = append(names, p.writtenName("dir", id))
		}
		for _, name := range names {
			if _, err := os.Lstat(name); err == nil {
				continue
			}
			if err := os.MkdirAll(p.writtenDir(), 0o700); err != nil {
				return unlessNoPlace(err)
			}
			if err := os.WriteFile(name, []byte(dir+"\n"), 0o600); err != nil {
				return unlessNoPlace(err)
			}
		}
	}
	return nil
}

func unlessNoPlace(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) || absent(err) {
		return nil
	}
	return err
}

// writtenTop returns the directory, that or one above it, which a sandbox has had
// writable, or "".
func (p Places) writtenTop(dir string) string {
	if p.State == "" || missing(p.writtenDir()) {
		return ""
	}
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if !missing(p.writtenName("path", dir)) {
			return dir
		}
		if id := identity(dir); id != "" && !missing(p.writtenName("dir", id)) {
			return dir
		}
	}
	return ""
}

// strays returns where a path leads over a symlink that lies in a directory which
// a sandbox has had writable, and that directory, where it leads out of it; top is
// "" where it does not.
func (p Places) strays(path string, leaf bool) (real, top string) {
	real, dirs := links(path, leaf)
	for _, dir := range dirs {
		if top := p.writtenTop(dir); top != "" && !plan.Within(real, top) {
			return real, top
		}
	}
	return real, ""
}

// stray is a path that leads over a symlink in top, where what runs in a sandbox could
// have made it, out of that, to real.
type stray struct{ path, real, top string }

func (s *stray) fault(at plan.Origin, kind plan.Kind) plan.Diagnostic {
	return plan.Diagnostic{At: at, Op: string(kind), Hint: "name what it leads to",
		Msg: fmt.Sprintf("%q leads over a symlink to %q, out of %q, where what runs in a sandbox could have made the link", s.path, s.real, s.top)}
}

// told returns where scripts were told that such symlinks lead, by realpath() or
// readlink(): what they make of that names no symlink any more. What they have read over
// one is a fault at once, as nobody can tell what became of that; of the modules, which
// are read too, the content is what counts. Another sandbox may be at work: what has
// changed since was a symlink then, for all that is known.
func (r *run) told(p *plan.Plan, writable []tree, modules []string) (told []stray, read plan.Diagnostics) {
	for i, in := range p.Inputs {
		link := in.Kind == "realpath" || in.Kind == "readlink"
		if !link && (in.Kind != "file" || i < r.looked) || in.Value == "" || slices.Contains(modules, string(in.Name)) {
			continue
		}
		s := stray{path: string(in.Name)}
		var dirs []string
		s.real, dirs = links(s.path, true)
		was, same := answer(in, s.real)
		if !same {
			dirs = append(dirs, filepath.Dir(s.real))
			s.real = was
		}
		for _, dir := range dirs {
			top := r.writtenTop(dir)
			for i := range writable {
				if top == "" && plan.Within(dir, writable[i].real) {
					top = writable[i].real
				}
			}
			if top != "" && !plan.Within(s.real, top) {
				s.top = top
			}
		}
		switch {
		case s.top == "":
		case link:
			// The package of a program is shown, or all with which npm has installed it.
			if i := strings.LastIndex(s.real, "/node_modules/"); i >= 0 {
				s.real = s.real[:i+len("/node_modules")]
			}
			told = append(told, s)
		case same:
			read = append(read, s.fault(plan.Origin{}, "read"))
		default:
			read = append(read, plan.Diagnostic{Op: "read", Msg: fmt.Sprintf("%q has changed since it was read, where what runs in a sandbox could have done it", s.path), Hint: "try again"})
		}
	}
	return told, read
}

// answer returns where a path led when a script looked, and whether that is where it
// leads now, which is real; of a file whether it still has the content.
func answer(in plan.Input, real string) (was string, same bool) {
	switch path := string(in.Name); in.Kind {
	case "realpath":
		return string(in.Value), string(in.Value) == real
	case "readlink":
		if text, err := os.Readlink(path); err == nil && text == string(in.Value) {
			return real, true
		}
		if filepath.IsAbs(string(in.Value)) {
			return canonical(string(in.Value)), false
		}
		return canonical(filepath.Join(canonical(filepath.Dir(path)), string(in.Value))), false
	default:
		b, err := eval.OS{}.ReadFile(path, 1<<30)
		sum := sha256.Sum256(b)
		return "", err == nil && hex.EncodeToString(sum[:]) == string(in.Value)
	}
}

// seenAnyway reports whether an operation shows at its place, read-only, what is seen
// there without it.
func seenAnyway(p *plan.Plan, op *plan.Op) bool {
	path := filepath.Clean(string(op.Dst))
	if op.Kind != plan.Bind || !op.RO || canonical(string(op.Src)) != path {
		return false
	}
	var by *plan.Op
	for i := range p.Ops {
		o := &p.Ops[i]
		switch dst := filepath.Clean(string(o.Dst)); {
		case o.Optional || !plan.Within(path, dst):
		case dst != path:
			if by == nil || plan.Within(dst, filepath.Clean(string(by.Dst))) {
				by = o
			}
		case o.Kind != plan.Bind: // which hides it
			return false
		}
	}
	return by != nil && by.Kind == plan.Bind && !by.Inside && canonical(string(by.Src)) == filepath.Clean(string(by.Dst))
}

// perLogin are the variables that name the sockets of a login, each time others.
// A source of a bind that is the value of one of them may vary.
var perLogin = [...]string{
	"DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "GNOME_KEYRING_CONTROL", "GPG_AGENT_INFO", "PULSE_SERVER",
	"SSH_AUTH_SOCK", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR",
}

func varies(name string) bool {
	for _, v := range perLogin {
		if name == v {
			return true
		}
	}
	return false
}

// FromEnv returns the variable of the caller's environment that the source of an
// operation is the value of, and whether it may be another the next time without
// being new; "": there is none.
func (r *Result) FromEnv(op *plan.Op) (name string, vary bool) {
	if op.Kind != plan.Bind && op.Kind != plan.Copy || len(op.Src) < 2 {
		return "", false
	}
	for _, in := range r.Inputs() {
		if in.Kind == "env" && in.Value == op.Src && in.Name != "*" && (name == "" || varies(string(in.Name))) {
			name, vary = string(in.Name), varies(string(in.Name))
		}
	}
	return name, vary
}
