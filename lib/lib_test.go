//go:build linux

package lib_test

import (
	"os"
	"strings"
	"testing"

	"sbx/starlark/template"
)

func TestBase(t *testing.T) {
	runBoxes(t, []boxTest{{files: ".profile\nsub/x", env: "A_TOKEN=secret B=c", want: `
		no .profile sub sub/x
		own $H
		rw $P
		ro /usr /usr/bin
		env -A_TOKEN B=c`}})
}

func TestSSH(t *testing.T) {
	keys := `
		.ssh/config: Host *
		.ssh/known_hosts
		.ssh/authorized_keys
		.ssh/id_ed25519
		.ssh/id_ed25519.pub
		.ssh/work
		.ssh/work.pub
		$R/agent socket
		$R/bus socket`
	runBoxes(t, []boxTest{
		{`ssh()`, keys, "SSH_AUTH_SOCK=$R/agent", `
			own .ssh .ssh/config
			ro .ssh/id_ed25519.pub
			rw .ssh/known_hosts $R/agent
			no .ssh/id_ed25519 .ssh/work .ssh/authorized_keys $R/bus
			env SSH_AUTH_SOCK=$R/agent`},
		{`ssh(keys = True, agent = False)`, keys, "SSH_AUTH_SOCK=$R/agent", `
			ro .ssh/id_ed25519 .ssh/work
			no .ssh/authorized_keys $R/agent`},
		{`ssh(config = False, known_hosts = False)`, keys, "", `
			own .ssh
			no .ssh/config .ssh/known_hosts .ssh/id_ed25519 .ssh/id_ed25519.pub`},
		{`ssh(known_hosts = "copy")`, keys, "", `own .ssh/known_hosts`},

		{`ssh() # none there`, "", "SSH_AUTH_SOCK=$R/agent", `
			own .ssh
			no $R/agent .ssh/config`},
		{`ssh() # an agent's own directory, where a socket may come later`, ".ssh/agent/", "SSH_AUTH_SOCK=$H/.ssh/agent/s.1", `
			ro .ssh/agent`},
		{`ssh() # stow`, `
			dot/ssh/config: Include work/*.conf "$H/more"
			dot/ssh/work/a.conf: include  work/b
			dot/ssh/work/b
			dot/ssh/id_rsa
			dot/ssh/known_hosts
			more
			.ssh -> dot/ssh`, "", `
			own .ssh/config .ssh/work/a.conf .ssh/work/b more
			rw dot/ssh/known_hosts
			no .ssh/id_rsa dot/ssh/id_rsa`},
		{`ssh() # a home that looks like a pattern`, `
			[ab]/.ssh/config: Include c*.conf ~/more /etc/*.conf ~/.ssh/**
			[ab]/.ssh/c1.conf
			[ab]/.ssh/id_rsa
			[ab]/more
			a/.ssh/c2.conf
			a/more`, "HOME=$H/[ab]", `
			own [ab]/.ssh/config [ab]/.ssh/c1.conf [ab]/more
			no [ab]/.ssh/id_rsa a`},
		{`ssh() # single links`, `
			.ssh/config -> ../dot/config
			.ssh/known_hosts -> ../dot/hosts
			dot/config
			dot/hosts`, "", `
			own .ssh/config
			rw dot/hosts
			no dot/config`},
	})
}

// TestExample evaluates the README's template of one's own.
func TestExample(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), "def my_tool(")
	start := strings.LastIndex(string(b[:max(at, 0)]), "```python\n")
	if at < 0 || start < 0 {
		t.Fatal("README.md has no template my_tool")
	}
	text, _, _ := strings.Cut(string(b[start+len("```python\n"):]), "```")
	if tm, err := template.Parse("my-tool.star", []byte(text)); err != nil || tm == nil {
		t.Fatal(tm, err)
	}
	newBox(t, text+"my_tool()", ".config/my-tool/config: a = b\\ntoken = secret").check("own .config/my-tool/config")
	newBox(t, text+"my_tool(login = True)", ".config/my-tool/config").check("ro .config/my-tool/config")
}
