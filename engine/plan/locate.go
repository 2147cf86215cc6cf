package plan

// Locate: where in its JSON a plan that was written by hand has what.

import (
	"bytes"
	"unicode/utf8"
)

// settingsOf are the settings, as Plan.Where names them, of the members of a plan's JSON
// that have another name.
var settingsOf = [...]struct{ member, setting string }{
	{"identity", "become_root"}, {"identity", "map_user"}, {"identity", "map_ids"}, {"identity", "map_delegate"},
	{"no_userns", "disable_userns"}, {"close_fds", "close_fd"}, {"pass_fds", "pass_fd"},
}

// always reports whether each plan has that member, which tells nothing of what was
// asked for.
func always(name string) bool {
	switch name {
	case "version", "ops", "no_new_privs", "init", "die_with_parent", "params", "inputs", "where":
		return true
	}
	return false
}

// Locate gives what of the plan has no position the one in b, the JSON that the plan
// was read from and that is called file: of those who write plans without a script.
func Locate(p *Plan, b []byte, file string) {
	if p.located() {
		return
	}
	l := newLocator(b, file)
	set := func(setting string, at Origin) {
		if _, ok := p.Where[setting]; !ok {
			p.SetWhere(setting, at)
		}
	}
	lists := map[string]func(i int) *Origin{
		"ops":     func(i int) *Origin { return &p.Ops[i].At },
		"env":     func(i int) *Origin { return &p.Env[i].At },
		"rlimits": func(i int) *Origin { return &p.Rlimits[i].At },
		"filters": func(i int) *Origin { return &p.Filters[i].At },
	}
	for name, i := range l.members(0) {
		if list := lists[name]; list != nil && b[i] == '[' {
			n := 0
			for j := l.space(i + 1); b[j] != ']'; n++ {
				if at := list(n); at.IsZero() {
					*at = l.find(j)
				}
				if j = l.space(l.end(j)); b[j] == ',' {
					j = l.space(j + 1)
				}
			}
		} else if !always(name) {
			at := l.find(i)
			set(name, at)
			for _, s := range settingsOf {
				if s.member == name {
					set(s.setting, at)
				}
			}
			if name == "hooks" {
				for k := range p.Hooks.Locks {
					if lock := &p.Hooks.Locks[k]; lock.At.IsZero() {
						lock.At = at
					}
				}
			}
		}
	}
}

// located reports whether a plan has its positions, as those made by sbx do.
func (p *Plan) located() bool {
	if len(p.Where) == 0 {
		return false
	}
	for i := range p.Ops {
		if p.Ops[i].At.IsZero() {
			return false
		}
	}
	for i := range p.Env {
		if p.Env[i].At.IsZero() {
			return false
		}
	}
	for i := range p.Rlimits {
		if p.Rlimits[i].At.IsZero() {
			return false
		}
	}
	return true
}

// locator finds the lines and columns of offsets, each later than the one before.
type locator struct {
	shape
	at  int // the last offset
	pos Pos // and where that is
}

func newLocator(b []byte, file string) *locator {
	return &locator{shape: shape{b: b}, pos: Pos{File: file, Line: 1, Col: 1}}
}

// find returns where b[i] is; i does not decrease.
func (l *locator) find(i int) Origin {
	if n := bytes.Count(l.b[l.at:i], []byte("\n")); n > 0 {
		l.pos.Line += int32(n)
		l.pos.Col = 1
		l.at += bytes.LastIndexByte(l.b[l.at:i], '\n') + 1
	}
	l.pos.Col += int32(utf8.RuneCount(l.b[l.at:i]))
	l.at = i
	return Origin{Pos: l.pos}
}
