"""Command lines that must never pass without a question, in groups.

ATO stands for the helper, a plain absolute path, WS for the project folder, OUT for a folder outside of it, BASE for
what holds them all (tests/support/shells.py makes them). But for what it is about, every line is an honest one, so
that nothing else can be why it is refused.
"""

from __future__ import annotations

_GROUPS = r"""
== a second command
ATO whoami; touch x
ATO whoami ;touch x
ATO whoami;
;ATO whoami
ATO whoami;;
ATO whoami && touch x
ATO whoami&&touch x
touch x && ATO whoami
ATO whoami || touch x
touch x || ATO whoami
ATO whoami & touch x
ATO whoami &
ATO whoami&
touch x; ATO whoami
ATO send dev note -s 'a'; touch x
ATO send dev note -s 'a';touch 'x'
ATO send dev note -s "a"&&touch "x"
ATO whoami; ATO whoami
== pipes
ATO inbox | sh
ATO inbox|sh
ATO inbox |& sh
ATO inbox |
echo note | ATO send dev note --body -
| ATO whoami
== substitutions
ATO trace $(touch x)
ATO trace "$(touch x)"
ATO trace `touch x`
ATO trace "`touch x`"
ATO trace a$(touch x)b
ATO trace 'a'$(touch x)
ATO trace $((1+1))
ATO trace "$((1+1))"
ATO trace $[1+1]
ATO trace <(touch x)
ATO trace >(touch x)
ATO trace =(touch x)
ATO trace "${ touch x; }"
$(echo ATO) whoami
`echo ATO` whoami
== variables
ATO trace $HOME
ATO trace "$HOME"
ATO trace ${HOME}
ATO trace "${HOME:-x}"
ATO trace ${x:=y}
ATO trace a$1
ATO trace "$@"
ATO trace $?
ATO trace $'a\x62'
ATO trace $'a' b
ATO trace $"a"
ATO trace ''$'a'
ATO trace x$
== redirections
ATO whoami > x
ATO whoami >x
ATO whoami>x
ATO whoami >> x
ATO whoami < x
ATO whoami <x
ATO whoami <> x
ATO whoami >| x
ATO whoami >! x
ATO whoami 2>&1
ATO whoami >&2
ATO whoami >&-
ATO whoami <&0
ATO whoami &> x
ATO whoami &>> x
ATO whoami >& x
ATO whoami 2> x
ATO whoami 3<x
ATO whoami {fd}>x
> x ATO whoami
<x ATO whoami
ATO send dev note -s 'a'>'x'
ATO send dev note --body - <<< 'a'
ATO send dev note --body - <<<a
ATO send dev note --body - <<<"a"
== another program
/bin/sh ATO whoami
/usr/bin/env ATO whoami
touch ATO whoami
touch ATO
echo
ls
/bin/ls
sudo ATO whoami
sh -c 'ATO whoami'
ATO2 whoami
ATO- whoami
ATO.bak whoami
ATO/ whoami
ATO/. whoami
ATO"" whoami
ATO'' whoami
""ATO whoami
'ATO whoami'
"ATO" 'whoami; touch x'
OUT/scripts/ato whoami
OUT/link-to-ato whoami
WS/scripts/ato whoami
WS/linked/scripts/ato whoami
scripts/ato whoami
./scripts/ato whoami
../tool/scripts/ato whoami
ato whoami
~/scripts/ato whoami
BASE/tool/scripts/../scripts/ato whoami
BASE/tool/./scripts/ato whoami
BASE/tool//scripts/ato whoami
/BASE/tool/scripts/ato whoami
BASE/ws/../tool/scripts/ato whoami
BASE/tool/scripts whoami
BASE/tool/scripts/at? whoami
BASE/tool/scripts/{ato,x} whoami
BASE/tool/scripts/at\o whoami
"BASE/tool/"scripts/ato whoami
BASE/tool/scripts/Ato whoami
BASE/TOOL/scripts/ato whoami
== before the command
X=1 ATO whoami
X= ATO whoami
PATH=OUT ATO whoami
AGENT_TEAM_OS_HOME=OUT ATO whoami
X+=1 ATO whoami
env X=1 ATO whoami
env ATO whoami
exec ATO whoami
command ATO whoami
builtin ATO whoami
eval ATO whoami
eval 'ATO whoami'
noglob ATO whoami
nohup ATO whoami
time ATO whoami
! ATO whoami
\ATO whoami
. ATO whoami
source ATO whoami
- ATO whoami
coproc ATO whoami
cd OUT && ATO send dev note --attach a.txt
== compound commands
(ATO whoami)
( ATO whoami )
{ ATO whoami; }
if ATO whoami; then touch x; fi
while ATO whoami; do touch x; done
for i in a b; do ATO whoami; done
for i in ATO whoami
case x in x) ATO whoami;; esac
[[ -n x ]] && ATO whoami
((x=1)) ATO whoami
f() { ATO whoami; }
function f { ATO whoami; }
trap 'touch x' EXIT; ATO whoami
alias ATO='touch x'
repeat 3 ATO whoami
%1 ATO whoami
ATO whoami )
ATO whoami }
ATO whoami (a)
ATO() whoami
== patterns and expansions
ATO trace *
ATO trace a*b
ATO trace a?
ATO trace [ab]
ATO trace a[
ATO trace a]
ATO trace {a,b}
ATO trace {1..3}
ATO trace a{
ATO trace ~
ATO trace ~root
ATO send dev note --ref=~/x
ATO trace a~
ATO trace =ls
ATO trace ''=ls
ATO send dev note --attach==ls
ATO send dev note -f path=a:=ls
ATO trace a^b
ATO trace ^a^b
ATO trace @(a|b)
ATO trace +(a)
ATO trace a(b)
ATO trace (b)
ATO trace a#b
ATO trace #b
ATO whoami # and so on
ATO whoami #
# ATO whoami
== history, escapes and quotes
ATO trace !!
ATO trace !touch
ATO trace "!touch"
ATO send dev note -s "well done!"
ATO trace a\ b
ATO trace \
ATO trace \;
ATO trace "a\"; touch x; \""
ATO trace "a\n"
ATO trace 'a\'; touch x; echo '
ATO trace 'a
ATO trace "a
ATO trace 'a'b'
ATO trace "a"b"
ATO trace "a' ; touch x ; '
ATO trace 'a" ; touch x ; "
ATO trace a'
ATO trace a"
ATO send dev note -s 'it''s'
ATO send dev note -s ''''
ATO send dev note -s 'a'\''b'
"ATO whoami
'ATO whoami
== verbs that are for a person
ATO
ATO drain off
ATO drain status
ATO doctor
ATO doctor --repair
ATO hook SessionStart
ATO init
ATO join dev
ATO join dev --path OUT
ATO nonsense
ATO Whoami
ATO whoam
ATO ''
ATO WHOAMI
ATO --json whoami
ATO --help whoami
ATO --version whoami
ATO -- whoami
ATO -x
ATO --help --version
== options that are for a person, or for nobody
ATO send dev note -s a --allow-secret
ATO send dev note -s a '--allow-secret'
ATO send dev note -s a "--allow-"secret
ATO send dev note -s a --allow-secret=1
ATO send dev note -s a --allow
ATO reply 1 accept --allow-secret
ATO handoff dev --allow-secret
ATO send --batch -
ATO send --batch=-
ATO send dev note --batch x
ATO send dev note -- --json
ATO send dev note -s
ATO send dev note --summary
ATO send dev note --nonsense
ATO send dev note --sum a
ATO send dev note -sa
ATO send dev note -s=a
ATO send dev note -p=high
ATO send dev note --json=1
ATO send dev note --dry-run=
ATO send dev note -x
ATO send dev note ---json
ATO inbox -as
ATO inbox -a
ATO inbox --al
ATO inbox --save WS/sub
ATO whoami --all
ATO read --all
ATO reply 1 accept --thread t
ATO reply 1 accept --file a.txt
ATO send dev note --file a.txt
ATO send dev note --state-summary a
ATO thread --peek
ATO trace 1 --status open
== files that are not the project's
ATO send dev note --attach OUT/secret.txt
ATO send dev note --attach=OUT/secret.txt
ATO send dev note '--attach=OUT/secret.txt'
ATO send dev note --att""ach OUT/secret.txt
ATO send dev note -a OUT/secret.txt
ATO send dev note -aOUT/secret.txt
ATO send dev note -a=OUT/secret.txt
ATO send dev note --att OUT/secret.txt
ATO send dev note --att=OUT/secret.txt
ATO send dev note -a a.txt -a OUT/secret.txt
ATO send dev note -a OUT/secret.txt -a a.txt
ATO send dev note --attach /etc/passwd
ATO send dev note --attach //etc/passwd
ATO send dev note --attach ../out/secret.txt
ATO send dev note --attach sub/../../out/secret.txt
ATO send dev note --attach WS/../out/secret.txt
ATO send dev note --attach out-link/secret.txt
ATO send dev note --attach secret-link
ATO send dev note --attach sub/../secret-link
ATO send dev note --attach OUT
ATO send dev note --attach ..
ATO send dev note --attach .
ATO send dev note --attach WS
ATO send dev note --attach ''
ATO send dev note --attach BASE/ws-evil/a.txt
ATO send dev note --attach ../ws-evil/a.txt
ATO send dev note --attach .env
ATO send dev note --attach WS/.env
ATO send dev note --attach .git/config
ATO send dev note --attach sub/.hidden/a.txt
ATO send dev note --attach env-link
ATO send dev note --attach '~/.ssh/id_rsa'
ATO send dev note --attach .missing
ATO send dev note --body @OUT/secret.txt
ATO send dev note --body=@OUT/secret.txt
ATO send dev note --body '@OUT/secret.txt'
ATO send dev note --body "@"OUT/secret.txt
ATO send dev note --body @../out/secret.txt
ATO send dev note --body @secret-link
ATO send dev note --body @.env
ATO send dev note --body @
ATO send dev note --body - --body @OUT/secret.txt
ATO send dev note --payload @OUT/secret.txt
ATO send dev note --payload=@OUT/secret.txt
ATO send dev note --payload @.env
ATO send dev note --payload @/dev/stdin
ATO reply 1 accept --attach OUT/secret.txt
ATO reply 1 accept --body @OUT/secret.txt
ATO handoff dev --file OUT/secret.txt
ATO handoff dev --file=/etc/passwd
ATO handoff dev --file secret-link
ATO handoff dev --file a.txt --file ../out/secret.txt
ATO handoff dev --next-step --file --file OUT/secret.txt
ATO handoff dev --attach .env
ATO read --save OUT
ATO read --save=OUT/new
ATO read 1 --save ..
ATO read 1 --save ../new
ATO read 1 --save new/../../new
ATO read 1 --save /
ATO read 1 --save out-link
ATO read 1 --save out-link/new
ATO read 1 --save dangling-link
ATO read 1 --save .git/hooks
ATO read 1 --save .new
ATO read 1 --save sub/.new/a
ATO read 1 --save BASE/ws-evil
"""

# What takes more than a line, or a character that no editor shows: newlines, and the odd ends of heredocs first.
_ODD: dict[str, list[str]] = {
    "newlines": [
        "ATO whoami\ntouch x",
        "ATO whoami\n\ntouch x\n",
        "\nATO whoami",
        "ATO whoami\n\n",
        "ATO whoami\n ",
        "ATO \\\nwhoami",
        "ATO who\\\nami",
        "ATO whoami \\\n",
        "ATO whoami \\\n; touch x",
        "ATO\nwhoami",
        "# ATO\nATO whoami",
        "ATO send dev note -s 'a\nb'\ntouch x",
        "ATO send dev note -s 'a\n' touch\nx",
    ],
    "heredocs": [
        f"ATO send dev note --body - {line}"
        for line in (
            "<<EOF\nnote: $(touch x)\nEOF",
            "<<EOF\nnote: a\nEOF",
            "<<\\EOF\nnote: a\nEOF",
            "<<E'OF'\nnote: a\nEOF",
            "<<'E'OF\nnote: a\nEOF",
            "<<'E''OF'\nnote: a\nEOF",
            "<<$'EOF'\nnote: a\nEOF",
            '<<$"EOF"\nnote: a\nEOF',
            "<<'EOF\"\nnote: a\nEOF",
            "<<-'EOF'\nnote: a\nEOF",
            "<<-'EOF'\nnote: a\n\tEOF",
            "<<- 'EOF'\nnote: a\nEOF",
            "<<<'EOF'\nnote: a\nEOF",
            "<<~'EOF'\nnote: a\nEOF",
            "<<'E OF'\nnote: a\nE OF",
            "<<'E-F'\nnote: a\nE-F",
            "<<''\nnote: a\n\n",
            "<<'É'\nnote: a\nÉ",
            "<<'EOF' <<'EOG'\nnote: a\nEOF\nb\nEOG",
            "<<'EOF'<<'EOG'\nnote: a\nEOF\nb\nEOG",
            "0<<'EOF'\nnote: a\nEOF",
            "3<<'EOF'\nnote: a\nEOF",
            "{fd}<<'EOF'\nnote: a\nEOF",
            "<<'EOF'; touch x\nnote: a\nEOF",
            "<<'EOF' && touch x\nnote: a\nEOF",
            "<<'EOF' | sh\ntouch x\nEOF",
            "<<'EOF' > x\nnote: a\nEOF",
            "<<'EOF' # on\nnote: a\nEOF",
            "<<'EOF' --json\nnote: a\nEOF",
            "<<'EOF'\\\nnote: a\nEOF",
            "<<'EOF'\rnote: a\nEOF",
            "<<'EOF'\r\nnote: a\r\nEOF\r\n",
            "<<'EOF'\nnote: a\nEOF\ntouch x",
            "<<'EOF'\nnote: a\nEOF\ntouch x\nEOF",
            "<<'EOF'\nEOF\ntouch x\nEOF",
            "<<'EOF'\ntouch x\nEOF\n\n",
            "<<'EOF'\nnote: a\nEOF\n ",
            "<<'EOF'\nnote: a\nEOF\n\ntouch x\n",
            "<<'EOF'\nnote: a\nEOF \n",
            "<<'EOF'\nnote: a\n EOF",
            "<<'EOF'\nnote: a\n\tEOF",
            "<<'EOF'\nnote: a\nEOF;touch x",
            "<<'EOF'\nnote: a\nEOFX",
            "<<'EOF'\nnote: a\neof",
            "<<'EOF'\nnote: a\nEOF\r",
            "<<'EOF'\nnote: a\nEOF\n\x00",
            "<<'EOF'\nnote: a",
            "<<'EOF'\n",
            "<<'EOF'",
            "<<EOF",
            "<<",
            "<<'EOF'\nnote: a\x0bEOF",
            "<<'EOF'\nnote: a\x0cEOF\x0c",
            "<<'EOF'\nnote: a\x85EOF",
            "<<'EOF'\nnote: a\u2028EOF\u2028",
            "<<'EOF'\nnote: a\u2029EOF",
            "<<'EOF'\nnote: a\x1eEOF",
            "<< 'EOF'\nnote: a\nEOF",
            "<<'EOF'\nnote: a\nE\xe9\nEOF",
            "<<'EOF'\nnote: a\nEOF\u0101\nEOF",
        )
    ]
    + [
        "ATO send dev note --body -<<'EOF'\nnote: a\nEOF",
        "ATO send dev note --body '-'<<'EOF'\nnote: a\nEOF",
        "<<'EOF' ATO send dev note --body -\nnote: a\nEOF",
        "ATO <<'EOF' send dev note --body -\nnote: a\nEOF",
        "ATO send dev note --attach OUT/secret.txt --body - <<'EOF'\nnote: a\nEOF",
        "ATO join dev <<'EOF'\nnote: a\nEOF",
        "ATO send --batch - <<'EOF'\n{}\nEOF",
    ],
    "characters that look like others": [
        "ATO whoami\r",
        "ATO whoami\r\n",
        "ATO whoami\rtouch x",
        "ATO\rwhoami",
        "\rATO whoami",
        "ATO\x0bwhoami",
        "ATO\x0cwhoami",
        "ATO whoami\x0c",
        "ATO whoami\x0b",
        "\tATO whoami",
        "\x0cATO whoami",
        "ATO\xa0whoami",
        "ATO whoami\xa0",
        "\xa0ATO whoami",
        "ATO\u2003whoami",
        "ATO\u3000whoami",
        "ATO\u202fwhoami",
        "ATO whoami\u2028",
        "ATO whoami\u2028touch x",
        "ATO whoami\u2029touch x",
        "ATO whoami\x85",
        "ATO whoami\x1c",
        "ATO who\u200bami",
        "ATO whoami\u200b",
        "\ufeffATO whoami",
        "ATO whoami\u202e",
        "ATO who\u0430mi",
        "BASE/tool/scripts/\u0430to whoami",
        "ATO\uff0fwhoami",
        "ATO whoami\uff1btouch x",
        "ATO whoami \uff06 touch x",
        "ATO whoami \uff5c touch x",
        "ATO whoami \uff1c x",
        "ATO whoami \uff1e x",
        "ATO trace \uff04HOME",
        "ATO trace \u2018a\u2019",
        "ATO trace \u201ca\u201d",
        "ATO trace caf\xe9",
        "ATO trace 1\u0661",
        "ATO send dev note \u2014json",
        "ATO whoami\x00",
        "ATO whoami\x00; touch x",
        "ATO trace 'a\x00b'",
        'ATO trace "a\x00b"',
        "ATO trace '\ud800'",
        "ATO trace '\udcff'",
        "ATO whoami\x1b[2K",
        "ATO trace a\x07",
        "ATO trace \x7f",
        "ATO trace \x01",
    ],
    "too long": [
        "ATO trace " + "a" * 200_001,
        "ATO trace '" + "a" * 200_001 + "'",
        "ATO send dev note --body - <<'EOF'\n" + "a\n" * 100_001 + "EOF",
        "ATO whoami" + " " * 200_001,
    ],
    "for a person to want": [
        *("ATO god on", "ATO god off", "ATO god confirm x", "ATO plan confirm x", "ATO plan launch x", "ATO halt"),
        *("ATO resume", "ATO hook Stop", "ATO plan launch --open x", "ATO plan", "ATO tasks", "ATO plan --json show"),
        *("ATO plan propose plan.json", "ATO plan propose /etc/passwd", "ATO plan propose - /etc/passwd"),
        *("ATO plan propose", "ATO plan propose -- x", "ATO tasks add x", "ATO tasks start 1", "ATO tasks done 1"),
        *("ATO send dev note --task", "ATO plan dispatch --force x", "ATO telemetry --rescan", "ATO tasks list --all"),
    ],
    "nothing": ["", " ", "\n", "\t", "''", '""', "-", "ATOwhoami", "whoami"],
}


def _hostile() -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for line in _GROUPS.strip("\n").split("\n"):
        if line.startswith("== "):
            lines = groups.setdefault(line[3:], [])
        else:
            lines.append(line)
    return {**groups, **_ODD}


HOSTILE = _hostile()
