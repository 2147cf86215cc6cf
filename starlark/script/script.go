// Package script turns a plan into a script: the one that a person would write
// who had to make just this sandbox. Evaluated, it gives the plan again.
package script

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// Print returns a script whose evaluation gives a plan of the same digest, with
// head as a comment before it. Equal plans give equal scripts.
//
// Parameters have the values that they had. The faults name what the plan says
// and no script can; the script is without it then.
func Print(p *plan.Plan, head string) (string, plan.Diagnostics) { return PrintLike(p, head, nil, "") }

// PrintLike is Print for a plan that begins as another one, base: the settings that
// they share stand together, under the comment title.
func PrintLike(p *plan.Plan, head string, base *plan.Plan, title string) (string, plan.Diagnostics) {
	pr := &printer{}
	pr.comment(head)
	own, faults := settings(p)
	shared := map[string]bool{}
	if base != nil {
		list, _ := settings(base)
		for _, s := range list {
			shared[s.text] = true
		}
	}
	pr.group()
	for _, s := range own {
		if shared[s.text] {
			if title != "" {
				pr.gapped()
				pr.comment(title)
				title = ""
			}
			pr.text(s.text)
		}
	}
	pr.group()
	for _, s := range own {
		if s.first && !shared[s.text] {
			pr.text(s.text)
		}
	}
	pr.defaults(p)
	pr.ops(p.Ops)
	pr.env(p.Env)
	for _, s := range own {
		if s.gap {
			pr.group()
		}
		if !s.first && !shared[s.text] {
			pr.text(s.text)
		}
	}
	return pr.b.String(), append(pr.faults, faults...)
}

// printer writes calls.
type printer struct {
	b      strings.Builder
	gap    bool // the next call begins a group
	def    common
	faults plan.Diagnostics

	collect bool // calls go to settings, and not to b
	list    []setting
}

// setting is a call that stands for itself, in any order.
type setting struct {
	text  string
	gap   bool // it begins a group
	first bool // it stands before the operations
}

// settings returns the calls for all that is not an operation or a change of the
// environment.
func settings(p *plan.Plan) ([]setting, plan.Diagnostics) {
	pr := &printer{collect: true}
	pr.order(p)
	for i := range pr.list {
		pr.list[i].first = true
	}
	pr.settings(p)
	return pr.list, pr.faults
}

func (pr *printer) comment(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(plan.Printable(strings.TrimSuffix(line, "\n")), " \t")
		pr.b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

// gapped writes the blank line before a group.
func (pr *printer) gapped() {
	if pr.gap {
		pr.b.WriteByte('\n')
		pr.gap = false
	}
}

func (pr *printer) text(s string) {
	pr.gapped()
	pr.b.WriteString(s)
}

// group has a blank line before the next call.
func (pr *printer) group() { pr.gap = pr.b.Len() > 0 || pr.collect }

func (pr *printer) call(c *call) {
	if pr.collect {
		var b strings.Builder
		c.write(&b)
		pr.list = append(pr.list, setting{text: b.String(), gap: pr.gap})
		pr.gap = false
		return
	}
	pr.gapped()
	c.write(&pr.b)
}

func (pr *printer) fault(at plan.Origin, op, format string, args ...any) {
	pr.faults = append(pr.faults, plan.Diagnostic{At: at, Op: op, Msg: fmt.Sprintf(format, args...), Hint: "sbx plan --json keeps it"})
}

// unsaid names the fields of a value that are left after what a script says has
// been taken out.
func (pr *printer) unsaid(at plan.Origin, op string, rest any) {
	for _, name := range plan.Fields(rest) {
		pr.fault(at, op, "no script can say %q here", name)
	}
}

func boolean(on bool) string {
	if on {
		return "True"
	}
	return "False"
}

func octal(m plan.Mode) string { return fmt.Sprintf("0o%03o", uint32(m)) }

func limit(n uint64) string {
	if n == plan.RlimInfinity {
		return `"unlimited"`
	}
	return strconv.FormatUint(n, 10)
}

// quote returns a literal: of a string, or of bytes where s is no text.
func quote(s plan.Str) string { return syntax.Quote(string(s), !utf8.ValidString(string(s))) }
