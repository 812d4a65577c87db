-- scripts/setup where it cannot install: one line says what is missing and what to run, and nothing stays behind. Its
-- tools are stand-ins.

local terminal = require "tools.terminal"

describe("scripts/setup", function()
  local folder

  local TOOLS = "sh id env uname grep sed awk tr sort head tail cut cat chmod find mktemp rm"
  local NO_NETWORK = [[
i=0
while [ $i -lt 1000 ]; do
  echo "Err:$i http://archive.example bookworm InRelease: Temporary failure resolving 'archive.example'"
  i=$((i + 1))
done
case $* in *update) ;; *) echo "E: Unable to locate package git" >&2; exit 100 ;; esac]]

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "wb"))
    file:write("#!/bin/sh\n", text, "\n")
    file:close()
    os.execute("chmod 755 " .. folder .. "/" .. name)
  end

  before_each(function()
    folder = terminal.output_of("mktemp -d"):match("%S+")
    os.execute(("chmod 755 %s; mkdir -m 777 %s/sbin; for t in %s; do ln -s $(command -v $t) %s/$t; done"):format(
      folder, folder, TOOLS, folder))
    write("apt-get", NO_NETWORK)
    write("apt-cache", "")
  end)

  after_each(function()
    os.execute("rm -rf " .. folder)
  end)

  -- As an ordinary user, with nothing in the path but the stand-ins.
  local function output()
    return terminal.output_of(([[
      if [ "$(id -u)" -eq 0 ]; then set -- setpriv --reuid=65534 --regid=65534 --clear-groups; fi
      sed 's|^PATH=.*|PATH=%s|; s|/usr/sbin/policy|%s/sbin/policy|' scripts/setup |
        "$@" env -i TMPDIR=/tmp PATH=%s sh -s rocks 2>&1
      echo "status $?"]]):format(folder, folder, folder))
  end

  local COMMAND = "apt%-get install binutils git lua5%.4 luarocks\n"

  it("says so when there is no sudo", function()
    assert.matches("^setup: neither root nor sudo; as root, run: " .. COMMAND .. "status 1\n$", output())
  end)

  it("says so when sudo refuses", function()
    write("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    assert.matches("^setup: sudo was refused; as root, run: " .. COMMAND .. "status 1\n$", output())
  end)

  -- Root's part goes no further than the stand-in for apt-get.
  local SUDO = 'case $1 in env) exec "$@" ;; esac'

  it("says so when the network is missing, without apt-get's thousand lines", function()
    write("sudo", SUDO)
    assert.matches("^setup: installing binutils git lua5%.4 luarocks \n"
      .. "setup: the package archive cannot be reached [^\n]*: " .. COMMAND .. "status 1\n$", output())
  end)

  it("repeats apt-get's own error when there is another one", function()
    write("sudo", SUDO)
    write("apt-get", 'echo "Reading"; echo "E: dpkg was interrupted" >&2; exit 100')
    assert.matches("\nsetup: E: dpkg was interrupted; as root, try: " .. COMMAND .. "status 1\n$", output())
  end)

  -- sh runs a trap once apt-get has ended, which the same Ctrl-C ends. $PPID is scripts/setup.
  for signal, status in pairs { INT = 130, TERM = 130, HUP = 130, none = 1 } do
    it("keeps services from starting while apt-get runs, and no longer, when it gets the signal " .. signal, function()
      write("sudo", 'case $1 in -n) ;; *) exec "$@" ;; esac')
      local kill = signal == "none" and "" or "kill -" .. signal .. " $PPID"
      write("apt-get", ([[
case $* in *install*)
  echo "policy: $(%s/sbin/policy-rc.d; echo $?)" >%s/sbin/seen
  %s
esac]]):format(folder, folder, kill))
      local text = output()
      assert.equal("policy: 101\n", terminal.output_of(("cat %s/sbin/seen"):format(folder)))
      assert.equal("", terminal.output_of(("ls %s/sbin | grep policy"):format(folder)))
      assert.matches("\nstatus " .. status .. "\n$", text)
    end)
  end
end)
