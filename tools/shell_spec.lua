local shell = require "tools.shell"

describe("shell", function()
  it("returns the output of a command without white space at its end", function()
    assert.equal(" a\nb", shell.output_of("printf ' a\\nb \\n\\n'"))
    assert.equal("", shell.output_of "exit 3")
  end)

  it("returns the status of a command, and its output with errors", function()
    assert.same({ 3, "out\nerr" }, { shell.try "echo out; echo err >&2; (exit 3)" })
    assert.same({ 0, "" }, { shell.try "true # nothing" })
  end)

  it("raises what a command writes that fails", function()
    assert.equal("out", shell.run "echo out")
    local ok, message = pcall(shell.run, "echo why; false")
    assert.is_false(ok)
    assert.is_truthy(message:find("echo why; false\nwhy", 1, true))
  end)
end)
