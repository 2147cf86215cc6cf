package verbs

// The verbs ps, attach, enter and kill: sandboxes that run already.

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sbx/engine/plan"
)

// psCmd is the verb's grammar.
type psCmd struct {
	JSON bool `name:"json" help:"For programs."`
}

func (*psCmd) Help() string {
	return `Memory is what the processes of the sandbox use, where memory that they share with others counts in parts (PSS). ` +
		`A + after it: a process does not let that be seen, and counts with all of its memory (RSS).

A session that ends while nobody is attached stays on the list with its exit code, until sbx attach has shown what it printed last or sbx kill removes it: the last 16 of them.`
}

// attachCmd is the verb's grammar.
type attachCmd struct {
	DetachKey string `placeholder:"KEY" help:"The key that detaches when pressed twice: ^\\ or ctrl-a or none. Default: $$SBX_DETACH_KEY, or else ^\\."`
	ID        string `arg:"" help:"The session, as sbx ps lists it, or the beginning of its name."`
}

func (*attachCmd) Help() string {
	return `Ctrl-\ pressed twice detaches: the session lives on. So it does when the terminal goes away or sbx attach dies. ` +
		`Several terminals can be attached at once; the window then has the size of the one that came or changed last.

The exit code is that of the session's command, and 0 after detaching. Of a session that has ended already it shows what was printed last.`
}

// enterCmd is the verb's grammar.
type enterCmd struct {
	ID      string   `arg:"" help:"The session, as sbx ps lists it, or the beginning of its name."`
	Command []string `arg:"" optional:"" passthrough:"partial" help:"The command and its arguments, best after a --; without one $$SHELL, or else bash."`
}

func (*enterCmd) Help() string {
	return `The command gets all the sandbox's own command was given: namespaces, capabilities, filters, limits, environment, working directory. ` +
		`On a terminal it has one of its own in the sandbox. It ends when the terminal goes away, and when the sandbox ends.

The exit code is the command's own, as with sbx exec.`
}

// killCmd is the verb's grammar.
type killCmd struct {
	Signal string   `short:"s" placeholder:"NAME" help:"Only send this signal to the command, by name or number."`
	Grace  string   `default:"5" placeholder:"SECONDS" help:"How long the command may take to end before it is killed."`
	ID     []string `arg:"" help:"The sandboxes, as sbx ps lists them, or the beginnings of their names."`
}

func (*killCmd) Help() string {
	return `The command gets SIGTERM, and SIGHUP for the sake of shells, and after the grace SIGKILL; with it ends all of the sandbox. sbx kill returns when that has happened.`
}

// grace returns how long the command may take to end: a number of seconds, or with
// a unit, as time.ParseDuration takes it.
func (c *killCmd) grace() (time.Duration, error) {
	d, err := time.ParseDuration(c.Grace)
	if s, e := strconv.ParseFloat(c.Grace, 64); e == nil {
		d, err = time.Duration(min(s, 1e9)*float64(time.Second)), nil
		if s != s {
			d = -1
		}
	}
	if err != nil || d < 0 || d > maxGrace {
		return 0, misuse(fmt.Sprintf("--grace is %q, want seconds from 0 to %.0f", c.Grace, maxGrace.Seconds()), "")
	}
	return d, nil
}

const maxGrace = 1_000_000 * time.Second

// sandboxRow is a sandbox as ps lists it.
type sandboxRow struct {
	ID          string     `json:"id"`
	Project     plan.Str   `json:"project"`
	Command     []plan.Str `json:"command"`
	Started     time.Time  `json:"started"`
	AgeSeconds  int64      `json:"age_seconds"`
	Memory      uint64     `json:"memory_bytes"`
	MemoryKind  string     `json:"memory_kind"` // "pss", "rss", or "": not known
	Processes   int        `json:"processes"`
	Session     bool       `json:"session"`
	Attached    int        `json:"attached"`
	Server      int        `json:"server_pid"`
	Leader      int        `json:"command_pid,omitempty"`
	Unreachable bool       `json:"unreachable,omitempty"` // of another pid namespace

	// Of a session that has ended while nobody was attached.
	Ended    *time.Time `json:"ended,omitempty"`
	ExitCode *int       `json:"exit_code,omitempty"`
	Signal   string     `json:"signal,omitempty"` // that ended the command
}

func (c *psCmd) run() int {
	list, err := sandboxes()
	if err != nil {
		complain(err)
		return exitSetup
	}
	if c.JSON {
		return outJSON(list)
	}
	if len(list) == 0 {
		return 0
	}
	p := newPage()
	rows := []row{{cells: []cell{{"ID", "dim"}, {"PROJECT", "dim"}, {"AGE", "dim"}, {"MEMORY", "dim"}, {"TERMINAL", "dim"}, {"COMMAND", "dim"}}}}
	for _, s := range list {
		rows = append(rows, row{cells: []cell{
			{s.ID, "strong"}, {text: pathText(cmp.Or(s.Project, "-"))}, {text: age(s.AgeSeconds)},
			{text: memoryText(s)}, terminalCell(s), {text: commandText(s.Command)},
		}})
	}
	p.table(rows)
	return out(p.String())
}

// commandText returns a command as a shell takes it, cut short.
func commandText(words []plan.Str) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = word(string(w))
	}
	return clip(strings.Join(list, " "), 60)
}

func terminalCell(s sandboxRow) cell {
	switch {
	case s.ExitCode != nil && *s.ExitCode == 0:
		return cell{"ended: 0", "dim"}
	case s.ExitCode != nil:
		return cell{"ended: " + strconv.Itoa(*s.ExitCode), "warning"}
	case s.Ended != nil:
		return cell{"ended: " + s.Signal, "warning"}
	case !s.Session:
		return cell{"none", "dim"}
	case s.Attached == 0:
		return cell{"detached", "warning"}
	case s.Attached == 1:
		return cell{"attached", "ok"}
	}
	return cell{"attached × " + strconv.Itoa(s.Attached), "ok"}
}

// age returns a time span in its two greatest units.
func age(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	case seconds < 86400:
		return fmt.Sprintf("%dh%02dm", seconds/3600, seconds/60%60)
	}
	return fmt.Sprintf("%dd%02dh", seconds/86400, seconds/3600%24)
}

func memoryText(s sandboxRow) string {
	switch {
	case s.MemoryKind == "":
		return "-"
	case s.MemoryKind == "rss":
		return sizeText(s.Memory) + "+"
	}
	return sizeText(s.Memory)
}

// sizeText returns a number of bytes in the unit that fits, powers of 1024.
func sizeText(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatUint(n, 10) + "B"
	}
	v, i := float64(n)/1024, 0
	for v >= 999.5 && i+1 < len(units) {
		v /= 1024
		i++
	}
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64) + units[i:i+1]
	}
	return strconv.FormatFloat(v, 'f', 0, 64) + units[i:i+1]
}
