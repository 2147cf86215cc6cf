package verbs

// The verb import sandboxa: configuration for sbx run.

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sbx/engine/plan"
	"sbx/lib"
	"sbx/starlark/project"
)

// importSandboxa is the grammar of import sandboxa.
type importSandboxa struct {
	File string `arg:"" help:"Its configuration file in YAML; - is standard input."`
}

func (*importSandboxa) Help() string {
	return `Prints what goes into ~/.config/sbx/project.star, or a project's .sbx.star.`
}

// maxYAML bounds a configuration file of sandboxa.
const maxYAML = 1 << 20

func (c *importSandboxa) run() int {
	name, in := c.File, os.Stdin
	if name == "-" {
		name = "<stdin>"
	} else {
		f, err := os.Open(name)
		if err != nil {
			complain(fmt.Errorf("cannot read configuration: %s", couldNot(err)))
			return exitSetup
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxYAML+1))
	if err == nil && len(text) > maxYAML {
		err = fmt.Errorf("%q has more than %d bytes", name, maxYAML)
	}
	if err != nil {
		complain(fmt.Errorf("cannot read configuration: %s", couldNot(err)))
		return exitSetup
	}
	script, ds := project.FromSandboxa(name, text, lib.Templates())
	report(map[string][]byte{name: text}, ds...)
	if ds.HasErrors() {
		return exitSetup
	}
	return out("# From sandboxa's " + strings.TrimPrefix(plan.Printable(filepath.Base(name)), "-") + ".\n" + script)
}
