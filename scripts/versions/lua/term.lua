--- What busted uses of lua-term, for a Lua that Debian does not build that module for: nothing here is a terminal.

return {
  isatty = function()
    return false
  end,
}
