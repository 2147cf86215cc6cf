//go:build linux

package lib_test

import (
	"strings"
	"testing"
)

// repo is the lines of files of a repository.
func repo(dir string) string {
	return strings.ReplaceAll("\n@/HEAD\n@/config\n@/objects/\n@/refs/\n@/hooks/pre-commit\n", "@", dir)
}

func TestGit(t *testing.T) {
	runBoxes(t, []boxTest{
		{`git()`, `
			.gitconfig: [include]\n path = ~/work.inc\n path = more/rel\n[core] excludesFile = ~/.ignore\n[user] signingkey = ~/.ssh/id.pub
			work.inc: [includeIf "gitdir:~/w/"]\npath = "$H/third"\n[commit]\n template = $H/msg
			more/rel
			third
			msg
			.ignore
			.ssh/id
			.ssh/id.pub
			.git-credentials
			.config/git/config
			.config/git/ignore
			.config/git/credentials
			.cache/git/credential/` + repo("$P/.git"), "GIT_AUTHOR_NAME=n", `
			ro .gitconfig work.inc more/rel third msg .ignore .ssh/id.pub .config/git/config .config/git/ignore
			no .ssh/id .git-credentials .config/git/credentials .cache/git
			rw $P $P/.git $P/.git/HEAD $P/.git/refs
			ro $P/.git/config $P/.git/hooks $P/.git/hooks/pre-commit
			env GIT_AUTHOR_NAME=n`},
		{`git() # variables move the settings`, `
			conf/git/config
			.config/git/config
			my
			.gitconfig`, "XDG_CONFIG_HOME=$H/conf GIT_CONFIG_GLOBAL=$H/my", `
			ro conf/git/config my
			no .config .gitconfig
			env XDG_CONFIG_HOME=$H/conf GIT_CONFIG_GLOBAL=$H/my`},
		{`git()
unsetenv("no")
clearenv()
git() # again, after all is gone`, "my", "GIT_CONFIG_GLOBAL=$H/my GIT_AUTHOR_NAME=n", `env GIT_CONFIG_GLOBAL=$H/my GIT_AUTHOR_NAME=n -HOME`},
		{`git(credentials = True)`, ".git-credentials\n.config/git/credentials", "", `rw .git-credentials .config/git/credentials`},
		{`git() # secrets among the settings`, `
			.gitconfig: [include]\n path = mail\n path = hub\n path = helper\n[http]\n extraHeader = Authorization: x\n[url "https://me:pw@example.com/"]\n insteadOf = e:
			mail: [sendemail]\n smtppass = x
			hub: [github]\n token = x
			helper: [credential]\n helper = "!f() { echo password=x; }; f"
			.config/git/config: [url "git@example.com:"]\n insteadOf = e:\n[url "ssh://git@example.com/"]\n[user]\n signingkey = x`, "", `
			own .gitconfig mail hub helper
			ro .config/git/config`},
		{`git() # what is mounted below the hooks
bind(host.home + "/mounted", host.project + "/.git/hooks/dir")`, "mounted/post-commit" + repo("$P/.git") + "$P/.git/hooks/dir/", "", `
			ro $P/.git/hooks $P/.git/hooks/dir $P/.git/hooks/dir/post-commit`},
		{`git(repository = "ro")`, repo("$P/.git"), "", `
			rw $P
			ro $P/.git $P/.git/HEAD $P/.git/hooks`},
		{`git(repository = "rw")`, repo("$P/.git"), "", `rw $P/.git $P/.git/config $P/.git/hooks`},
		{`git() # submodules`, repo("$P/.git") + repo("$P/.git/modules/a") + repo("$P/.git/modules/b/c"), "", `
			rw $P/.git/modules/a/HEAD
			ro $P/.git/modules/a/config $P/.git/modules/b/c/hooks/pre-commit
			at $P/.git $P/.git/modules $P/.git/modules/a $P/.git/modules/b $P/.git/modules/b/c`},
		{`git() # and their files in the work tree`, repo("$P/.git") + repo("$P/.git/modules/d/a") + "$P/d/a/.git: gitdir: ../../.git/modules/d/a", "", `
			rw $P/d/a
			ro $P/d/a/.git
			at $P/d $P/d/a $P/d/a/.git`},
		{`git(repository = "ro") # submodules`, repo("$P/.git") + repo("$P/.git/modules/a") + "$P/a/.git: gitdir: ../.git/modules/a", "", `
			ro $P/a/.git $P/.git/modules/a/HEAD
			at $P/a`},
		{`git(repository = "private")`, repo("$P/.git"), "", `
			rw $P
			own $P/.git $P/.git/HEAD $P/.git/hooks/pre-commit`},
		{`git() # the worktrees of the project`, repo("$P/.git") + `
			$P/.git/worktrees/w/HEAD
			$P/.git/worktrees/w/commondir: ../..\n
			$P/.git/worktrees/w/gitdir: $H/w/.git\n
			$P/.git/worktrees/w/config.worktree`, "", `
			rw $P/.git/worktrees/w/HEAD
			ro $P/.git/worktrees/w/commondir $P/.git/worktrees/w/gitdir $P/.git/worktrees/w/config.worktree
			at $P/.git/worktrees $P/.git/worktrees/w
			no w`},
		{`git() # hooks and config that are links`, strings.Replace(repo("$P/.git"), "$P/.git/hooks/pre-commit", "$P/.git/hooks -> ../tools/hooks", 1) + "$P/tools/hooks/pre-commit", "", `
			ro $P/.git/hooks $P/tools/hooks/pre-commit
			rw $P/tools
			at $P/tools $P/tools/hooks`},
		{`git() # files that its config includes`, strings.Replace(repo("$P/.git"), "config\n", "config: [include]\\n path = ../conf/a\\n[includeIf \"onbranch:x\"]\\n path = more\\n[include]\\n path = ../to/l\\n path = $H/out\\n path = ../none\n", 1) + `
			$P/conf/a: [include]\n path = b\n
			$P/conf/b
			$P/conf/other
			$P/.git/more
			$P/to -> real
			$P/real/l -> ../c
			$P/c
			out`, "", `
			ro $P/conf/a $P/conf/b $P/.git/more $P/c $P/.git/config
			rw $P $P/conf $P/conf/other $P/.git/HEAD
			at $P/conf $P/to $P/real $P/real/l $P/c
			no out $P/none`},
		{`git() # a bare repository`, strings.ReplaceAll(repo("$P"), "$P/\n", ""), "", `
			rw $P/HEAD
			ro $P/config $P/hooks/pre-commit`},
		{`git() # hooks that are a link to nothing`, strings.Replace(repo("$P/.git"), "$P/.git/hooks/pre-commit", "$P/.git/hooks -> ../none", 1), "", `
			rw $P/.git/HEAD
			at $P/.git/hooks $P/none`},
		{`git() # hooks by way of links`, strings.Replace(repo("$P/.git"), "$P/.git/hooks/pre-commit", "$P/.git/hooks -> ../a\n$P/a -> d/hooks\n$P/d/hooks/pre-commit", 1), "", `
			ro $P/d/hooks $P/d/hooks/pre-commit
			at $P/.git/hooks $P/a $P/d $P/d/hooks
			rw $P/.git/HEAD`},
		{`git() # a hook that is a link`, repo("$P/.git") + "$P/.git/hooks/post-commit -> ../../s/pc\n$P/s/pc\n$P/s/other", "", `
			ro $P/s/pc
			rw $P/s/other
			at $P/s $P/s/pc`},
		{`git() # settings by way of links`, strings.Replace(repo("$P/.git"), "$P/.git/config\n", "$P/.git/config -> ../a\n$P/a -> c\n$P/c\n", 1), "", `
			ro $P/c
			at $P/.git/config $P/a $P/c`},
		{`git() # no HEAD for now`, strings.Replace(repo("$P/.git"), "$P/.git/HEAD\n", "", 1), "", `
			ro $P/.git/config $P/.git/hooks`},
		{`git() # the repository is a link`, repo("$P/x/g") + "$P/.git -> x/g", "", `
			ro $P/.git $P/x/g/config
			rw $P/x/g/HEAD
			at $P/x $P/x/g`},
		{`git() # a worktree`, repo("main/.git") + `
			main/file
			main/.git/worktrees/w/HEAD
			main/.git/worktrees/w/config.worktree
			main/.git/worktrees/w/commondir: ../..\n
			main/.git/worktrees/w/gitdir: $P/.git\n
			$P/.git: gitdir: $H/main/.git/worktrees/w\n`, "", `
			rw main/.git main/.git/worktrees/w
			ro main/.git/config main/.git/hooks main/.git/worktrees/w/config.worktree $P/.git
			no main/file`},
		{`git() # a submodule by itself`, strings.Replace(repo("$P/../up/.git/modules/s"), "config\n", "config: [core]\\n worktree = ../../../../p\n", 1) + `
			$P/.git: gitdir: ../up/.git/modules/s`, "", `
			rw $P/../up/.git/modules/s
			ro $P/../up/.git/modules/s/config
			no $P/../up/.git/config`},
		{`git() # borrowed objects`, repo("$P/.git") + `
			store/x
			$P/.git/objects/info/alternates: $H/store\n../../../none\n`, "", `
			no store/x`},
		{`git(alternates = True) # borrowed objects`, repo("$P/.git") + `
			store/x
			store/info/
			store/pack/
			.ssh/id
			$P/.git/objects/info/alternates: $H/store\n../../../none\n$H/.ssh\n`, "", `
			ro store/x
			no .ssh`},
		{`git() # a project that points at secrets, as a worktree`, `
			.ssh/id
			.ssh/HEAD
			.ssh/objects/
			.ssh/refs/
			$P/.git: gitdir: $H/.ssh`, "", `
			no .ssh
			ro $P/.git`},
		{`git() # and by the common directory`, `
			.ssh/id
			.ssh/HEAD
			.ssh/objects/
			.ssh/refs/
			$P/x/worktrees/w/commondir: $H/.ssh
			$P/x/worktrees/w/gitdir: $P/.git
			$P/.git: gitdir: x/worktrees/w`, "", `no .ssh`},
		{`git() # and by links`, repo("$P/g") + `
			.ssh/id
			$P/.git -> $H/.ssh`, "", `no .ssh`},
		{`git() # and in the repository`, `
			.ssh/id
			$P/.git/HEAD
			$P/.git/objects/
			$P/.git/refs/
			$P/.git/hooks -> $H/.ssh
			$P/.git/config -> $H/.ssh/id`, "", `
			no .ssh
			rw $P/.git/HEAD`},
		{`git() # stow and home-manager`, `
			.gitconfig -> dot/gitconfig
			dot/gitconfig -> ../real/gitconfig
			real/gitconfig: [include]\npath = $H/inc
			inc -> dot/inc
			dot/inc
			.config -> dot/config
			dot/config/git/config
			dot/secret
			.config/git/ignore -> /etc/passwd`, "", `
			ro real/gitconfig dot/inc dot/config/git/config
			no dot/secret real/other`},
		{`git() # no repository, dangling links`, ".gitconfig -> none\n$P/.git: gitdir: /none/such", "", `
			no .gitconfig none
			ro $P/.git`},
		{`git() # links in a circle`, ".gitconfig -> .gitconfig", "", `no .gitconfig`},
		{`git(); git(); ssh(); gpg() # twice, and with others`, ".gitconfig\n" + repo("$P/.git"), "", `ro .gitconfig $P/.git/config`},
	})
}

func TestGPG(t *testing.T) {
	files := `
		.gnupg/S.gpg-agent socket
		.gnupg/S.gpg-agent.extra socket
		.gnupg/S.gpg-agent.ssh socket
		.gnupg/S.keyboxd socket
		.gnupg/pubring.kbx
		.gnupg/trustdb.gpg
		.gnupg/gpg.conf
		.gnupg/private-keys-v1.d/key
		.gnupg/openpgp-revocs.d/rev`
	runBoxes(t, []boxTest{
		{`gpg()`, files, "", `
			rw .gnupg/S.gpg-agent .gnupg/S.keyboxd
			ro .gnupg/pubring.kbx .gnupg/gpg.conf
			own .gnupg .gnupg/trustdb.gpg
			no .gnupg/private-keys-v1.d .gnupg/openpgp-revocs.d .gnupg/S.gpg-agent.ssh .gnupg/S.gpg-agent.extra`},
		{`gpg(agent = "full")`, files, "", `
			rw .gnupg/S.gpg-agent
			no .gnupg/private-keys-v1.d`},
		{`gpg(agent = False)`, files, "", `
			ro .gnupg/pubring.kbx
			no .gnupg/S.gpg-agent`},
		{`gpg() # moved`, "k/pubring.kbx\n.gnupg/pubring.kbx", "GNUPGHOME=$H/k", `
			ro k/pubring.kbx
			no .gnupg
			env GNUPGHOME=$H/k`},
		{`gpg() # no agent yet`, ".gnupg/pubring.kbx", "", `no .gnupg/S.gpg-agent`},
	})
}

func TestGitSettings(t *testing.T) {
	b := newBox(t, "git()", `.gitconfig: [user]\n name = a\n[http "https://u:p@example.com"]\n sslVerify = false\n[core]\n editor = vi\n[github]\n token = x\n user = a`, "")
	const want = "# sbx: 3 lines with secrets left out\n[user]\n name = a\n[core]\n editor = vi\n[github]\n user = a\n"
	if got := b.text(".gitconfig"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestGitCommondir: a file by which a sandbox could have given a repository other
// settings.
func TestGitCommondir(t *testing.T) {
	_, err := evalBox(t, "git()", repo("$P/.git")+"$P/.git/commondir: ../x")
	if err == nil || !strings.Contains(err.Error(), "/.git/commondir") {
		t.Errorf("%v", err)
	}
}

// An include is protected however git may read it.
func TestGitIncludes(t *testing.T) {
	for _, line := range []string{
		`[include]\n\tpath = ../team.cfg # team`,
		`[include]\n\tpath = ../team.cfg ; team`,
		`[include]\n\tpath = ../team.cfg#team`,
		`[include]\n\tpath = "../team.cfg" # "team"`,
		`[include]\n\tpath = ../"team".cfg`,
		`[include]\n\tpath = "$P/team.cfg";`,
		`[include]\n\tpath = ../te\\nam.cfg`,
		`# a comment \\n[include]path=../team.cfg`,
		`[INCLUDE]\n; x\n  Path   =   ../team.cfg   `,
		"[includeIf\t\"gitdir:/\"]\\n path = ../team.cfg",
		`[includeIf "gitdir:/a]\"b]"] path = ../team.cfg`,
		`[core]\n x = "a # b"\n[include]\n path = ../team.cfg`,
		`[core]\n x = a\r\n[include]\r\n path = ../team.cfg\r\n`,
		`[core]\n bare\n[include]\n path = :(optional)../team.cfg`,
		"\ufeff" + `[include]\n path = ../team.cfg`,
	} {
		line = strings.ReplaceAll(strings.ReplaceAll(line, `\t`, "\t"), `\r`, "\r")
		b := newBox(t, "git()", "$P/team.cfg\n$P/other.cfg"+strings.Replace(repo("$P/.git"), "\n$P/.git/config\n", "\n$P/.git/config: "+line+"\n", 1))
		b.check("ro $P/team.cfg $P/.git/config\nrw $P/other.cfg")
		if t.Failed() {
			t.Fatalf("%q", line)
		}
	}
	runBoxes(t, []boxTest{
		{`git() # of the user's own`, ".gitconfig: [include]\\n path = ~/.extra # x\\n[core]\\n excludesFile = ~/.ignore # mine\n.extra\n.ignore", "", "ro .extra .ignore"},
	})
}
