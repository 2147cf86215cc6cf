//go:build linux

package lib_test

import (
	"strings"
	"testing"
)

func TestEditors(t *testing.T) {
	runBoxes(t, []boxTest{
		{`vim()`, `
			.vimrc
			.vim/plugin/x.vim
			.vim/undo/secret
			.vim/.netrwhist
			.config/vim/vimrc
			.config/vim/.undo/secret
			.viminfo
			.local/state/vim/viminfo`, "", `
			ro .vimrc .vim .vim/plugin/x.vim .config/vim/vimrc
			own .vim/undo
			masked .vim/.netrwhist
			no .vim/undo/secret .config/vim/.undo/secret .viminfo .local`},
		{`vim(history = True)`, `
			.vim/undo/x
			.vim/view/x
			.vim/sessions/x
			.viminfo
			.local/state/vim/viminfo`, "", `
			ro .viminfo .vim
			rw .local/state/vim .vim/undo/x
			own .vim/view/x .vim/sessions/x
			own .vim/plugin/sbx.vim`},
		{`vim(history = True) # nothing there`, "", "", `
			rw .local/state/vim
			own .vim/plugin/sbx.vim`},
		{`vim() # stow, link by link`, `
			.vimrc -> dot/vimrc
			dot/vimrc
			.vim/colors/a.vim -> ../../dot/a.vim
			dot/a.vim -> b.vim
			dot/b.vim
			dot/c.vim`, "", `
			link .vimrc dot/a.vim
			ro dot/vimrc .vim/colors/a.vim dot/b.vim
			no dot/c.vim`},
		{`vim() # the dotfiles are the project`, ".vimrc -> $P/vimrc\n$P/vimrc\n.vim -> $P/vim\n$P/vim/swap/\n$P/vim/a", "", `
			link .vimrc
			rw $P/vimrc $P/vim/a`},
		{`vim(history = True) # links of an earlier sandbox`, ".vim/undo/x -> $H/.ssh/id\n.ssh/id", "", `
			rw .vim/undo
			no .ssh`},
		{`vim() # the whole directory a link`, ".vim -> dot/vim\ndot/vim/vimrc\ndot/vim/swap/", "", `
			ro .vim/vimrc dot/vim/vimrc
			own dot/vim/swap`},
		{`neovim()`, `
			.config/nvim/init.lua
			.config/nvim/undo/secret
			.local/share/nvim/telescope_history
			.local/share/nvim/lazy/x
			.local/share/nvim/shada/main.shada
			.local/state/nvim/shada/main.shada`, "", `
			ro .config/nvim/init.lua .local/share/nvim/lazy/x
			no .config/nvim/undo/secret
			masked .local/share/nvim/telescope_history
			own .local/state/nvim .cache/nvim
			no .local/state/nvim/shada .local/share/nvim/shada/main.shada`},
		{`neovim(history = True, plugins = "rw")`, `
			.config/my/init.lua
			.config/nvim/init.lua
			data/my/x
			.local/state/my/shada/main.shada
			.local/state/my/sessions/x
			data/my/sessions/x
			.local/state/my/trust`, "NVIM_APPNAME=my XDG_DATA_HOME=$H/data", `
			ro .config/my/init.lua
			rw data/my/x .local/state/my/shada/main.shada .local/state/my/undo
			own .local/state/my .local/state/my/trust .local/state/my/sessions/x data/my/sessions/x
			no .config/nvim`},
		{`neovim() # links in the project are its own`, ".config/nvim -> $P/nvim\n$P/nvim/init.lua -> $H/secret\nsecret", "", `
			rw $P/nvim
			no secret`},
		{`neovim() # home-manager`, `
			.config/nvim/init.lua -> $R/store/files/init.lua
			$R/store/files/init.lua -> $R/store/real.lua
			$R/store/real.lua
			$R/store/other`, "", `
			ro .config/nvim/init.lua $R/store/files/init.lua
			no $R/store/other`},
		{`emacs()`, `
			.emacs
			.emacs.d/init.el
			.emacs.d/recentf
			.emacs.d/server/server
			.emacs.d/auto-save-list/x`, "", `
			ro .emacs .emacs.d/init.el
			masked .emacs.d/recentf
			own .emacs.d/server
			no .emacs.d/server/server .emacs.d/auto-save-list/x`},
		{`emacs(history = True) # which is no secret`, ".config/emacs/recentf\n.config/emacs/.authinfo\n.config/emacs/authinfo.gpg", "", `
			ro .config/emacs/recentf
			masked .config/emacs/.authinfo .config/emacs/authinfo.gpg`},
		{`emacs() # Doom's`, ".config/emacs/.local/cache/savehist\n.config/emacs/.local/straight/x\n.config/emacs/ido.last", "", `
			ro .config/emacs/.local/straight/x
			masked .config/emacs/ido.last
			no .config/emacs/.local/cache/savehist`},
		{`emacs(history = True)`, ".config/emacs/recentf\n.config/emacs/var/savehist.el\n.config/emacs/backups/x", "", `
			ro .config/emacs/recentf
			own .config/emacs/var/savehist.el
			rw .config/emacs/backups/x`},
		{`direnv()`, `
			.config/direnv/direnvrc
			.config/direnv/lib/a.sh: export MY_TOKEN=x
			.config/other
			.local/share/direnv/allow/x`, "", `
			own .config/direnv/lib/a.sh
			ro .config/direnv/direnvrc .local/share/direnv/allow/x
			no .config/other`},
	})
}

func TestAgents(t *testing.T) {
	all := `
		.claude/settings.json
		.claude/projects/p/x
		.claude/file-history/x
		.claude/commands/c.md
		.claude/CLAUDE.md
		.claude/.credentials.json
		.claude/ide/1234.lock
		.claude.json
		.codex/auth.json
		.codex/config.toml
		.codex/AGENTS.md
		.codex/tmp/x
		.gemini/oauth_creds.json
		.gemini/settings.json
		.gemini/tmp/bin/rg
		.gemini/tmp/p/chats/x
		.gemini/history/p/x
		.codex/sessions/x
		.config/opencode/opencode.json
		.local/share/opencode/auth.json
		.local/share/opencode/bin/x
		.local/share/opencode/opencode.db
		.ssh/id_rsa`
	keys := "ANTHROPIC_API_KEY=a OPENAI_API_KEY=o GEMINI_API_KEY=g GITHUB_TOKEN=t"
	runBoxes(t, []boxTest{
		{`claude()`, all, keys, `
			rw .claude/projects .claude/todos .claude/file-history .claude/.credentials.json
			own .claude .claude/settings.json .claude/commands/c.md .claude/CLAUDE.md .claude.json
			at .claude/projects .claude/file-history .claude/.credentials.json
			no .codex .gemini .config/opencode .ssh .claude/ide/1234.lock .claude/projects/p .claude/file-history/x
			env ANTHROPIC_API_KEY=a -OPENAI_API_KEY -GITHUB_TOKEN`},
		{`claude(keys = False)`, "", keys, `
			own .claude
			rw .claude/projects
			no .claude.json .claude/settings.json
			env -ANTHROPIC_API_KEY`},
		{`claude() # moved`, "c/.claude.json\nc/settings.json\n.claude/x\n.claude.json", "CLAUDE_CONFIG_DIR=$H/c", `
			rw c/projects
			own c/.claude.json c/settings.json
			no .claude .claude.json
			env CLAUDE_CONFIG_DIR=$H/c`},
		{`claude() # links of stow, and of an earlier sandbox`, `
			.claude/settings.json -> ../dot/claude/settings.json
			dot/claude/settings.json
			.claude/CLAUDE.md -> $H/.ssh/id_rsa
			.claude/commands/id_rsa.md -> $H/.ssh/id_rsa
			.claude/projects/id_rsa -> $H/.ssh/id_rsa
			.claude/commands/c.md -> $H/dot/c.md
			dot/c.md
			.claude/agents -> agents2
			.claude/agents2 -> $H/.ssh
			.ssh/id_rsa`, "", `
			rw .claude/projects
			ro dot/claude/settings.json dot/c.md
			no .ssh .ssh/id_rsa`},
		{`claude() # the whole directory a link`, ".claude -> dot/claude\ndot/claude/settings.json\ndot/claude/projects/x\ndot/x", "", `
			link .claude
			own dot/claude/settings.json
			rw dot/claude/projects
			no dot/x dot/claude/projects/x`},
		{`claude() # in the project`, "$P/c/projects/other/x\n$P/c/settings.json", "CLAUDE_CONFIG_DIR=$P/c", `
			rw $P/c $P/c/settings.json $P/c/projects/other/x
			no $P/c/file-history`},
		{`claude(); codex(); opencode() # in the project, where they are not yet`, "", "CLAUDE_CONFIG_DIR=$P/c CODEX_HOME=$P/d XDG_DATA_HOME=$P/e", `
			rw $P
			no $P/c $P/d $P/e`},
		{`codex()`, all, keys, `
			rw .codex/sessions
			own .codex/auth.json .codex .codex/config.toml .codex/AGENTS.md .codex/tmp
			no .claude .claude.json .codex/tmp/x .codex/sessions/x
			env OPENAI_API_KEY=o -ANTHROPIC_API_KEY`},
		{`gemini()`, all, keys, `
			rw .gemini/oauth_creds.json .gemini/tmp .gemini/history
			own .gemini .gemini/settings.json
			at .gemini/tmp .gemini/history
			no .claude .gemini/tmp/p .gemini/tmp/bin .gemini/history/p
			env GEMINI_API_KEY=g -OPENAI_API_KEY`},
		{`opencode()`, all, keys, `
			rw .local/share/opencode
			own .local/state/opencode .cache/opencode .config/opencode/opencode.json .local/share/opencode/auth.json
			at .local/share/opencode/auth.json
			no .claude .codex .local/share/opencode/bin .local/share/opencode/opencode.db .local/share/sbx
			env ANTHROPIC_API_KEY=a OPENAI_API_KEY=o -GITHUB_TOKEN`},
		{`opencode() # nothing there`, "", "", `
			rw .local/share/opencode
			own .config/opencode
			no .ssh`},
	})
}

// TestAgentLogin: a directory in the place of the login is told by its path outside.
func TestAgentLogin(t *testing.T) {
	_, err := evalBox(t, "opencode()", ".local/share/opencode/auth.json\n.local/share/sbx/opencode/$K/auth.json/")
	if err == nil || !strings.Contains(err.Error(), "-p/auth.json\" is a directory") {
		t.Error(err)
	}
}

// TestAgentOfAll: an agent's directory that is the home directory would show all of it.
func TestAgentOfAll(t *testing.T) {
	for _, dir := range []string{"$H", "$H/", "$H/x/..", "$H/.."} {
		_, err := evalBox(t, "claude()", "", "CLAUDE_CONFIG_DIR="+dir)
		if err == nil || !strings.Contains(err.Error(), "is the home directory, or holds it") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestPrograms shows what is installed below the home directory.
func TestPrograms(t *testing.T) {
	runBoxes(t, []boxTest{
		{`codex(); gemini(); claude()`, `
			.npm-global/bin/codex -> ../lib/node_modules/@openai/codex/bin/codex.js
			.npm-global/lib/node_modules/@openai/codex/bin/codex.js: #!/usr/bin/env node
			.npm-global/lib/node_modules/@openai/codex/lib/x
			.npm-global/lib/node_modules/@openai/other/x
			.npm-global/bin/gemini -> ../lib/node_modules/gemini/cli.js
			.npm-global/lib/node_modules/gemini/cli.js: #!/usr/bin/env node
			.npm-global/lib/node_modules/other/x
			.local/bin/claude -> ../share/claude/versions/1
			.local/share/claude/versions/1: #!x
			.local/share/claude/versions/2: #!x`, "PATH=$H/.npm-global/bin:$H/.local/bin:/usr/bin", `
			link .npm-global/bin/codex .local/bin/claude
			ro .npm-global/lib/node_modules/@openai/codex/lib/x .npm-global/lib/node_modules/gemini/cli.js .local/share/claude/versions/1
			no .npm-global/lib/node_modules/@openai/other .npm-global/lib/node_modules/other .local/share/claude/versions/2`},
	})
}

func TestMore(t *testing.T) {
	runBoxes(t, []boxTest{
		{`shell()`, `
			.bashrc: alias l=ls\nexport MY_TOKEN=x\n
			.profile: PATH=/bin; export GITHUB_TOKEN=x
			.bash_aliases: export A=1 B_TOKEN=2
			.bash_login: STRIPE_KEY=x
			.bash_profile: DB_PASS=x
			.aliases: export MY_TOKEN=$(pass token)\nf() { local key="$1"; }
			.zshrc
			.bashrc.d/a.sh: export DB_PASS=x
			.bashrc.d/b.sh: alias l=ls
			.bashrc.d/.bash_history
			.bashrc.d/sub/x
			.config/zsh/.zshrc
			.config/zsh/.zsh_history
			.config/zsh/log: : 1700000000:0;export MY_TOKEN=x
			.config/zsh/plugins/p/p.plugin.zsh
			.config/zsh/secret/x
			.config/fish/config.fish: set -gx API_KEY x\nset -gx EDITOR vi\n
			.config/fish/conf.d/a.fish: set -Ux MY_TOKEN x
			.config/fish/functions/f.fish
			.config/fish/fish_variables
			.bash_history
			.zsh_history`, "", `
			own .bashrc .profile .bash_aliases .bash_login .bash_profile .bashrc.d/a.sh .config/fish/config.fish .config/fish/conf.d/a.fish
			ro .aliases .zshrc .bashrc.d/b.sh .config/zsh/.zshrc .config/zsh/plugins/p/p.plugin.zsh .config/fish/functions/f.fish
			no .bash_history .zsh_history .config/fish/fish_variables .bashrc.d/.bash_history .bashrc.d/sub .config/zsh/.zsh_history .config/zsh/log .config/zsh/secret`},
		{`shell() # moved`, "z/.zshrc\nz/a.zsh: MY_KEY=x\nz/b.zsh\nz/.zhistory\n.zshrc", "ZDOTDIR=$H/z HISTFILE=$H/z/b.zsh", `
			ro z/.zshrc
			own z/a.zsh
			no z/.zhistory z/b.zsh .zshrc`},
		{`shell() # stow`, ".config/zsh -> ../dot/zsh\ndot/zsh/a.zsh: X_TOKEN=x\ndot/zsh/b.zsh\ndot/zsh/.zsh_history", "", `
			link .config/zsh
			own dot/zsh/a.zsh
			ro dot/zsh/b.zsh
			no dot/zsh/.zsh_history`},
		{`shell(history = True)`, "", "", "rw .local/state/sbx-shell\nenv HISTFILE=$H/.local/state/sbx-shell/history"},
		{`gh()`, ".config/gh/hosts.yml\n.ssh/x", "GH_TOKEN=t", "ro .config/gh/hosts.yml\nno .ssh\nenv GH_TOKEN=t"},
		{`network()`, "ca.pem\nother", "NODE_EXTRA_CA_CERTS=$H/ca.pem", "ro ca.pem /etc/resolv.conf\nno other\nenv NODE_EXTRA_CA_CERTS=$H/ca.pem"},
	})
}

func TestLanguages(t *testing.T) {
	runBoxes(t, []boxTest{
		{`node()`, `
			.npmrc: registry=https://example.com\n//example.com/:_authToken=secret
			.npm/_cacache/x
			.nvm/versions/node/v1/bin/node
			.yarnrc.yml
			.local/share/pnpm/store/x
			.ssh/x`, "NPM_TOKEN=t", `
			own .npmrc
			ro .yarnrc.yml .nvm/versions/node/v1/bin/node
			no .ssh
			env -NPM_TOKEN`},
		{`node() # a token that is a variable`, ".npmrc: //example.com/:_authToken=${NPM_TOKEN}\n.yarnrc: \"//example.com/:_authToken\" x\n.yarnrc.yml: npmRegistries:\\n  //example.com:\\n    npmAuthIdent: u:p", "", `
			ro .npmrc
			own .yarnrc.yml .yarnrc`},
		{`node(cache = "shared", login = True)`, ".npmrc: _authToken=x\n.npm/x", "NPM_TOKEN=t", `
			rw .npm/x
			ro .npmrc
			env NPM_TOKEN=t`},
		{`node(cache = "ro") # moved`, "n/rc\nn/c/x\n.npm/x\n.npmrc", "NPM_CONFIG_USERCONFIG=$H/n/rc npm_config_cache=$H/n/c", `
			ro n/rc n/c/x
			no .npm .npmrc
			env NPM_CONFIG_USERCONFIG=$H/n/rc npm_config_cache=$H/n/c`},
		{`node(cache = "none")`, ".npm/x", "", "own .npm\nno .npm/x"},
		{`python()`, `
			.pypirc
			.netrc
			.config/pip/pip.conf: [global]\nindex-url = https://u:p@example.com/simple\ntimeout = 9
			.pyenv/shims/python3
			.cache/pip/x
			.local/share/uv/python/x
			.local/share/uv/credentials/x
			.conda/envs/x
			.conda/aau_token
			miniconda3/.condarc: channels: [https://conda.example.com/t/x/main]
			.local/lib/python3.9/site-packages/x
			miniconda3/bin/python
			.venv/x
			.condarc: channels:\n - https://conda.example.com/t/x/main
			.config/uv/uv.toml: [[index]]\nurl = "https://token@example.com/"
			.config/pypoetry/auth.toml`, "VIRTUAL_ENV=$H/.venv UV_PUBLISH_TOKEN=t", `
			ro .local/share/uv/python/x .conda/envs/x
			no .local/share/uv/credentials .conda/aau_token
			own miniconda3/.condarc .config/pip/pip.conf .condarc .config/uv/uv.toml
			ro .pyenv/shims/python3 .local/lib/python3.9/site-packages miniconda3/bin/python .venv/x
			no .pypirc .netrc .config/pypoetry
			env VIRTUAL_ENV=$H/.venv -UV_PUBLISH_TOKEN`},
		{`python(login = True, cache = "shared")`, ".pypirc\n.cache/uv/x", "PIP_CACHE_DIR=$H/pc UV_PUBLISH_TOKEN=t", `
			ro .pypirc
			rw .cache/uv/x
			no .netrc
			env UV_PUBLISH_TOKEN=t PIP_CACHE_DIR=$H/pc`},
		{`go(cache = "shared")`, `
			go/pkg/mod/x
			go/bin/tool
			.cache/go-build/x
			.netrc`, "", `
			rw go/pkg/mod/x .cache/go-build/x
			ro go/bin/tool
			no .netrc`},
		{`go(cache = "ro") # variables`, "a/bin/t\na/pkg/mod/x\nb/bin/u\nm/x\nc/x\ngo/x", "GOPATH=$H/a:$H/b GOCACHE=$H/c", `
			ro a/bin/t b/bin/u a/pkg/mod/x c/x
			no go .cache/go-build/x
			env GOPATH=$H/a:$H/b GOCACHE=$H/c`},
		{`go(cache = "ro") # go env -w`, ".config/go/env: GOPATH=$H/a\\nGOMODCACHE=$H/m\\nGOPROXY=https://u:p@example.com\na/bin/t\nm/x", "", `
			ro a/bin/t m/x
			own .config/go/env`},
		{`go() # what is not Go's`, "go/src/p/.env\nsdk/go1.9/bin/go\nsdk/gotip/bin/go\nsdk/notes\nsdk/gopher/x\n.local/go/x",
			"GOPROXY=https://a.example.com,https://u:pw@b.example.com GOPRIVATE=c.example.com", `
			ro sdk/go1.9/bin/go sdk/gotip/bin/go
			no go/src sdk/notes sdk/gopher .local/go
			env -GOPROXY GOPRIVATE=c.example.com`},
		{`go(src = True)`, "go/src/p/x", "", "ro go/src/p/x"},
		{`java() # options with a password`, ".m2/settings-security.xml", "MAVEN_OPTS=-Dhttp.proxyPassword=pw GRADLE_OPTS=-Xmx1g JAVA_TOOL_OPTIONS=-Dproxy=http://u:pw@h", `
			no .m2/settings-security.xml
			env -MAVEN_OPTS GRADLE_OPTS=-Xmx1g -JAVA_TOOL_OPTIONS`},
		{`java(login = True)`, "", "MAVEN_OPTS=-Dhttp.proxyPassword=pw", `env MAVEN_OPTS=-Dhttp.proxyPassword=pw`},
		{`network(); nix(); claude() # addresses with a password`, "", "https_proxy=http://u:pw@h no_proxy=h NIX_PATH=nixpkgs=https://u:pw@h ANTHROPIC_BASE_URL=https://u:pw@h", `
			env -https_proxy no_proxy=h -NIX_PATH -ANTHROPIC_BASE_URL`},
		{`network(); pass_env("https_proxy")`, "", "https_proxy=http://u:pw@h", "env https_proxy=http://u:pw@h"},
		{`node() # n`, "n/n/versions/node/1/bin/node\nn/bin/node\nn/lib/node_modules/npm/x\nn/notes", "", `
			ro n/n/versions/node/1/bin/node n/bin/node n/lib/node_modules/npm/x
			no n/notes`},
		{`node() # n among others`, "l/n/versions/node/1/bin/node\nl/share/keyrings/x\nn/notes", "N_PREFIX=$H/l", `
			ro l/n/versions/node/1/bin/node
			no l/share n/notes`},
		{`go() # private caches`, "go/pkg/mod/x", "", `own go/pkg/mod/x`},
		{`rust()`, `
			.cargo/bin/cargo
			.cargo/credentials.toml
			.cargo/config.toml: [registries.x]\ntoken = "s"\nindex = "i"
			.cargo/registry/x
			.rustup/toolchains/x`, "CARGO_REGISTRY_TOKEN=t", `
			ro .cargo/bin/cargo .rustup/toolchains/x
			own .cargo .cargo/config.toml
			no .cargo/credentials.toml
			env -CARGO_REGISTRY_TOKEN`},
		{`rust() # tokens in other forms`, `
			.cargo/config.toml: [registries]\nx = { index = "i", token = "s" }
			.cargo/config: [registry]\ncredential-provider = ["cargo:token"]`, "", `
			own .cargo/config.toml
			ro .cargo/config`},
		{`rust(login = True, cache = "shared") # moved`, "c/credentials.toml\nc/registry/x\nt/x\n.cargo/x", "CARGO_HOME=$H/c CARGO_TARGET_DIR=$H/t CARGO_REGISTRY_TOKEN=t", `
			ro c/credentials.toml
			rw c/registry/x t/x
			no .cargo
			env CARGO_HOME=$H/c CARGO_TARGET_DIR=$H/t CARGO_REGISTRY_TOKEN=t`},
		{`java()`, `
			.m2/settings.xml: <a>\n<servers>\n<server><password>x</password></server>\n</servers>\n<mirrors/></a>
			.m2/settings-security.xml
			.m2/repository/x
			.gradle/gradle.properties: org.gradle.jvmargs=-X\nsigningKey=s
			.gradle/caches/x
			.gradle/daemon/x
			jdk/bin/java`, "JAVA_HOME=$H/jdk", `
			own .m2/settings.xml .gradle/gradle.properties
			ro jdk/bin/java
			no .m2/settings-security.xml .gradle/daemon
			env JAVA_HOME=$H/jdk`},
		{`java() # under other names`, `
			.m2/settings.xml: <settings><profiles><profile><properties><nexusPass>x</nexusPass></properties></profile></profiles></settings>
			.gradle/gradle.properties: nexusPass=x
			.gradle/init.d/a.gradle
			.gradle/init.gradle: credentials { password "x" }`, "", `
			own .m2/settings.xml .gradle/gradle.properties .gradle/init.gradle
			ro .gradle/init.d/a.gradle`},
		{`java(login = True, cache = "shared")`, ".m2/settings.xml\n.m2/settings-security.xml\n.m2/repository/x\n.gradle/caches/x", "", `
			ro .m2/settings.xml .m2/settings-security.xml
			rw .m2/repository/x .gradle/caches/x`},
		{`nix()`, `
			.config/nix/nix.conf: access-tokens = github.com=x\nexperimental-features = y
			.config/nixpkgs/config.nix: { token = "x"; }
			.config/nixpkgs/key
			.nix-profile -> .local/state/nix/profiles/profile
			.local/state/nix/profiles/profile -> profile-1-link
			.local/state/nix/profiles/profile-1-link/bin/hello
			.netrc`, "", `
			own .config/nix/nix.conf .config/nixpkgs/config.nix
			no .config/nixpkgs/key
			ro .nix-profile/bin/hello .local/state/nix/profiles/profile-1-link/bin/hello
			no .netrc`},
	})
}

func TestClouds(t *testing.T) {
	awsFiles := `
		.aws/config: [default]\nregion = a\n[profile work]\nregion = b
		.aws/credentials: [default]\naws_secret_access_key = s1\n[work]\naws_secret_access_key = s2
		.aws/sso/cache/t.json
		.ssh/x`
	runBoxes(t, []boxTest{
		{`aws()`, awsFiles, "AWS_SECRET_ACCESS_KEY=s AWS_PROFILE=p", `
			ro .aws/config .aws/credentials
			own .aws .aws/sso/cache/t.json
			no .ssh
			env AWS_SECRET_ACCESS_KEY=s AWS_PROFILE=p`},
		{`aws(profile = "work")`, awsFiles, "AWS_SECRET_ACCESS_KEY=s AWS_PROFILE=p", `
			own .aws/config .aws/credentials
			no .aws/sso
			env -AWS_SECRET_ACCESS_KEY AWS_PROFILE=work`},
		{`aws() # moved`, "a/conf\na/cred\n.aws/config", "AWS_CONFIG_FILE=$H/a/conf AWS_SHARED_CREDENTIALS_FILE=$H/a/cred", `
			ro a/conf a/cred
			no .aws/config
			env AWS_CONFIG_FILE=$H/a/conf AWS_SHARED_CREDENTIALS_FILE=$H/a/cred`},
		{`gcloud()`, ".config/gcloud/credentials.db\nkey.json\n.config/other", "GOOGLE_APPLICATION_CREDENTIALS=$H/key.json", `
			own .config/gcloud/credentials.db
			ro key.json
			no .config/other
			env GOOGLE_APPLICATION_CREDENTIALS=$H/key.json`},
		{`kube()`, `
			.kube/config: users:\n- name: x\n  user:\n    client-key: $H/pki/key\n    client-certificate: "pki/cert"
			pki/key
			.kube/pki/cert
			pki/other
			.config/helm/repositories.yaml: - name: a\n  password: p\n  username: u`, "", `
			ro .kube/config pki/key .kube/pki/cert
			own .kube .config/helm/repositories.yaml
			no pki/other`},
		{`kube() # a list`, "a\nb\n.kube/config", "KUBECONFIG=$H/a:$H/none:$H/b", `
			ro a b
			no .kube/config none
			env KUBECONFIG=$H/a:$H/none:$H/b`},
		{`docker()`, `
			.docker/config.json: {"auths": {"x": {"auth": "s"}}, "proxies": {"default": {"httpProxy": "http://u:p@h"}}, "currentContext": "c"}
			.docker/contexts/meta/x
			$R/docker.sock socket
			$R/bus socket`, "", `
			own .docker/config.json
			ro .docker/contexts/meta/x
			rw $R/docker.sock
			no $R/bus`},
		{`docker(login = True) # elsewhere`, "d/config.json\nd/s socket\nd/certs/ca.pem\n$R/docker.sock socket", "DOCKER_HOST=unix://$H/d/s DOCKER_CONFIG=$H/d DOCKER_CERT_PATH=$H/d/certs", `
			ro d/config.json d/certs/ca.pem
			rw d/s
			no $R/docker.sock
			env DOCKER_HOST=unix://$H/d/s DOCKER_CONFIG=$H/d`},
	})
}

func TestDesktop(t *testing.T) {
	sockets := `
		$R/wayland-1 socket
		$R/wayland-0 socket
		$R/pipewire-0 socket
		$R/pulse/native socket
		$R/bus socket
		$R/x socket
		.Xauthority
		.config/fontconfig/fonts.conf
		.config/pulse/cookie`
	runBoxes(t, []boxTest{
		{`wayland()`, sockets, "WAYLAND_DISPLAY=wayland-1", `
			rw $R/wayland-1
			ro .config/fontconfig/fonts.conf
			no $R/wayland-0 $R/bus $R/pulse $R/pipewire-0
			env WAYLAND_DISPLAY=wayland-1`},
		{`wayland() # none there`, "", "WAYLAND_DISPLAY=wayland-9", `no $R/wayland-9`},
		{`wayland() # absolute`, sockets, "WAYLAND_DISPLAY=$R/x", "rw $R/x\nno $R/wayland-0"},
		{`x11()`, sockets, "DISPLAY=:77.0", `
			ro .Xauthority
			no $R/wayland-0 /tmp/.X11-unix
			env DISPLAY=:77.0`},
		{`x11() # the cookie elsewhere`, "$R/.xauth_1\n.Xauthority\n$R/x socket", "DISPLAY=$R/x:0 XAUTHORITY=$R/.xauth_1", `
			ro $R/.xauth_1
			rw $R/x
			no .Xauthority
			env XAUTHORITY=$R/.xauth_1`},
		{`x11() # no display`, ".Xauthority", "", `no .Xauthority`},
		{`audio()`, sockets, "", `
			rw $R/pipewire-0
			ro $R/pulse $R/pulse/native
			ro .config/pulse/cookie
			no $R/bus $R/wayland-0`},
		{`audio() # a server of one's own`, "s socket\n$R/pulse/native socket", "PULSE_SERVER=unix:$H/s", "rw s\nno $R/pulse"},
		{`dbus()`, sockets, "", `
			rw $R/bus
			no $R/wayland-0
			env DBUS_SESSION_BUS_ADDRESS=unix:path=$R/bus`},
		{`dbus() # elsewhere`, "$R/b socket\n$R/bus socket", "DBUS_SESSION_BUS_ADDRESS=unix:path=$R/b,guid=00", "rw $R/b\nno $R/bus"},
		{`dbus(session = False)`, sockets, "", `no $R/bus`},
		{`gpu()`, ".cache/mesa_shader_cache/x", "", "own .cache/mesa_shader_cache\nno .cache/mesa_shader_cache/x"},
	})
}

// TestWithout shows what is left of files that hold secrets.
func TestWithout(t *testing.T) {
	const line = "# sbx: 1 line with secrets left out\n"
	const whole = "# sbx: all is left out, as it holds secrets\n"
	for _, tt := range []struct{ script, file, text, want string }{
		{"shell()", ".bashrc", `if x; then\n  export A_TOKEN=x\nfi\n`, line + "if x; then\n:\nfi\n"},
		{"shell()", ".bashrc", `if x; then export A_TOKEN=x; fi\nl`, line + ":\nl\n"},
		{"shell()", ".bashrc", `if x; then export A_TOKEN=x\nfi\n`, whole},
		{"shell()", ".bashrc", `export A_TOKEN="x\ny"\n`, whole},
		{"shell()", ".bashrc", `export A_TOKEN=x \\\n  B=secret\n`, whole},
		{"shell()", ".bashrc", `export \\\n  A_TOKEN=x\n`, whole},
		{"rust()", ".cargo/config.toml", `[registry]\ntoken = """\nx\n"""\n`, whole},
		{"rust()", ".cargo/config.toml", `[a]\nb = 1\n[registry]\ntoken = "x"\n`, line + "[a]\nb = 1\n[registry]\n"},
		{"python()", ".condarc", `a: b\ntoken:\n  x\n`, whole},
		{"docker()", ".docker/config.json", `{"auths": {"x": {"auth": "s"}}, "proxies": {"default": {"httpProxy": "http://u:p@h"}}, "a": "c"}`, "{\n\t\"a\": \"c\"\n}\n"},
		{"docker()", ".docker/config.json", `[1]`, "{}\n"},
		{"java()", ".m2/settings.xml", `<s><servers><server><id>x</id></server></servers><m>u</m></s>`, "<s><!-- left out by sbx: servers --><m>u</m></s>"},
		{"node()", ".yarnrc.yml", `a: b\nnpmAuthToken: >-\n  x\n`, whole},
		{"node()", ".yarnrc.yml", `a: b\nnpmAuthToken: |2+ # x\n  x\n`, whole},
		{"node()", ".yarnrc", `httpsProxy "u:p@proxy:80"\nyarn-path "x"\n`, line + "yarn-path \"x\"\n"},
		{"node()", ".npmrc", `proxy=u:p@proxy:80\nyes=true\n`, line + "yes=true\n"},
		{"shell()", ".bashrc", `A_TOKEN=$(cat <<E\nx\nE\n)\n`, whole},
		{"shell()", ".bashrc", `read -r A_TOKEN <<E\nx\nE\n`, whole},
		{"shell()", ".bashrc", `read -r A_TOKEN <<< x\nl\n`, line + ":\nl\n"},
		{"java()", ".gradle/gradle.properties", `ossrhToken x\nnexusPw=x\nmyPwd=x\na b\n`, "# sbx: 3 lines with secrets left out\na b\n"},
		{"java()", ".m2/settings.xml", `<s><p><corp.pw>x</corp.pw><sonar.login>x</sonar.login></p></s>`, "<s><p><!-- left out by sbx: corp.pw --><!-- left out by sbx: sonar.login --></p></s>"},
		{"java()", ".m2/settings.xml", `<s><p>\n<db.password>\nx\n</db.password>\n</p></s>`, "<s><p>\n<!-- left out by sbx: db.password -->\n</p></s>"},
		{"java()", ".m2/settings.xml", `<s><url>https://u:p@h/</url></s>`, "<s><!-- left out by sbx: url --></s>"},
		{"java()", ".m2/settings.xml", `<s><servers><password>x`, "<settings><!-- left out by sbx, as they hold secrets --></settings>\n"},
	} {
		b := newBox(t, tt.script, tt.file+": "+tt.text, "")
		if got := b.text(tt.file); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestX11Scope: libraries that are kept from the abstract socket do not try the other.
func TestX11Scope(t *testing.T) {
	for env, want := range map[string]bool{"DISPLAY=:77": false, "DISPLAY=host:10": true, "DISPLAY=": true} {
		if b := newBox(t, "scope_sockets()\nx11()", "", env); b.plan.ScopeSockets != want {
			t.Errorf("%s: %v", env, b.plan.ScopeSockets)
		}
	}
}
