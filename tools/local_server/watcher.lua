--- Runs a local server's program and ends it: `luajit tools/local_server/watcher.lua STARTER COMMAND ARGUMENT...`.
--
-- STARTER is the id of the process that wants the server, 0 where it is not known. The program gets a process group and a
-- TMPDIR of its own. When it has ended, or its starter has, all processes of the group are killed and the folder is
-- removed: a program may hang, compute for ever, or be killed, and a starter may die before the handshake.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../../?.lua;" .. package.path

local posix = require "tools.local_server.http.posix"

local CHECK_MS = 500 -- how often it is checked that the starter is still running
local GRACE_MS = 1000 -- for a program to end by itself when its starter has ended

local starter = tonumber(arg[1])
local parent = posix.parent_pid()
if starter ~= 0 and starter ~= parent then
  os.exit(1) -- it has ended already
end

local command = {}
for index = 2, #arg do
  command[index - 1] = arg[index]
end

local directory = posix.temporary_directory("pusher-server")
posix.let_others_enter(directory) -- a server of others may run as the user nobody
local child = posix.spawn(command, { TMPDIR = directory })

repeat
  child:wait(CHECK_MS)
until child.ended or posix.parent_pid() ~= parent
if not child.ended then
  child:wait(GRACE_MS)
end
child:kill()
posix.remove_tree(directory)
