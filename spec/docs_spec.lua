-- The pages are correct: options, defaults, codes and public names are those of the code, each is documented on the page
-- that holds it, every link leads somewhere, and README.md lists every page.

local links = require("spec.helpers.links")
local lists = require("spec.helpers.lists")
local luacats = require("spec.helpers.luacats")
local TRANSPORT = require("pusher.base.options").TRANSPORT
local readme = require("spec.helpers.readme")
local source = require("spec.helpers.source")

local assert_none = lists.assert_none

-- What is documented where: the page, and the section that holds the table.
local REFERENCE = {
  options = { page = "docs/options.md", section = "^Options$" },
  publisher = { page = "docs/publisher.md", section = "^Options$" },
  fcm = { page = "docs/push.md", section = "^FCM$" },
  codes = { page = "docs/errors.md", section = "^Errors$" },
}

local function reference(name)
  local place = REFERENCE[name]
  return assert(readme.section(source.read(place.page), place.section), name)
end

describe("the tables of options", function()
  local TABLES = {
    { place = "options", module = "pusher.channels.settings", first = "option" },
    { place = "publisher", module = "pusher.publisher.settings", first = "option" },
    { place = "fcm", module = "pusher.push.fcm.config", first = "member", elsewhere = TRANSPORT },
  }

  -- "retry.attempts" and the like to their declarations. Those of FCM's transport are in the text below its table.
  local function declared(entry)
    local rules = {}
    for name, rule in pairs(require(entry.module).DECLARED) do
      local is_here = name == "timeout" or not (entry.elsewhere or {})[name]
      for field, inner in pairs(is_here and rule.fields or {}) do
        rules[name .. "." .. field] = inner
      end
      rules[name] = is_here and not rule.fields and rule or nil
    end
    return rules
  end

  -- Such names to the rows' defaults. In one cell "android.title" may be followed by "body".
  local function documented(entry)
    local defaults = {}
    for _, cells in ipairs(readme.rows(reference(entry.place), entry.first)) do
      local prefix
      for name in cells[1]:gmatch("`([%w_.]+)`") do
        prefix = name:match("^.*%.") or prefix
        defaults[name:find(".", 1, true) and name or (prefix or "") .. name] = cells[2]
      end
    end
    return defaults
  end

  -- What the column of defaults must have, if that is a number or a boolean, or a text that stands for itself.
  local function shown(default)
    if type(default) == "number" then
      return ("%.14g"):format(default)
    elseif type(default) == "string" then
      return not default:find(".", 1, true) and '`"' .. default .. '"`' or nil -- addresses are named
    end
    return type(default) == "boolean" and "`" .. tostring(default) .. "`" or nil
  end

  for _, entry in ipairs(TABLES) do
    it("have a row for each, with its default, and no other: " .. entry.module, function()
      local rules, defaults, wrong = declared(entry), documented(entry), {}
      for name, rule in pairs(rules) do
        local default = shown(rule.default)
        if not defaults[name] then
          wrong[#wrong + 1] = name .. " is not documented"
        elseif default and defaults[name] ~= default then
          wrong[#wrong + 1] = ("%s: the default is %s, not %s"):format(name, default, defaults[name])
        elseif not default and (tonumber(defaults[name]) or defaults[name] == "`true`" or defaults[name] == "`false`") then
          wrong[#wrong + 1] = name .. " has no default of this kind"
        end
      end
      for name in pairs(defaults) do
        wrong[#wrong + 1] = not rules[name] and name .. " is documented, and unknown" or nil
      end
      assert_none(wrong)
    end)
  end

  -- Lists of options in sentences: the class in types/, which other specs compare with the code, and what follows them.
  local LISTS = {
    { "docs/push.md", "`fcm.new` takes (.-)%. The", "pusher.FcmOptions" },
    { "docs/push.md", "be members, too: (.-) mean what", "pusher.TransportOptions", { log = true, timeout = true } },
    { "docs/push.md", "`push.new { (.-) }`", "pusher.PushOptions" },
    { "docs/push.md", "`stdout.new { (.-) }`", "pusher.StdoutOptions" },
    { "docs/beams.md", "`beams.new` takes (.-) and the options of transports", "pusher.BeamsOptions", TRANSPORT },
    { "docs/options.md", "and `ngx` take (.-), and refuse", "pusher.TransportOptions" },
  }

  for _, entry in ipairs(LISTS) do
    local page, pattern, class, elsewhere = entry[1], entry[2], entry[3], entry[4] or {}
    it("have all of " .. class .. " in a sentence of " .. page, function()
      local expected, found = {}, {}
      for name in pairs(luacats.fields(luacats.read(), class)) do
        expected[name] = not elsewhere[name] or nil
      end
      for name in assert(source.read(page):match(pattern), pattern):gmatch("[%l_]+") do
        found[name] = name ~= "and" or nil
      end
      for name in pairs(elsewhere) do
        found[name] = nil
      end
      assert.same(lists.names(expected), lists.names(found))
    end)
  end
end)

describe("the public names", function()
  -- Pages that only mention names.
  local MENTIONS = { ["README.md"] = true, ["docs/coming-from-go.md"] = true }

  -- Objects of the API, by their name in the pages.
  local function objects()
    local pusher, push = require("pusher"), require("pusher.push")
    local options = { app_id = "1", key = "key", secret = "secret", host = "127.0.0.1", port = 1, transport = "async" }
    local client = assert(pusher.new(options))
    local call = client:trigger("c", "e", "d")
    call:cancel()
    return {
      pusher = pusher,
      client = client,
      publisher = assert(client:publisher {}),
      pending = call,
      transport = client.transport,
      push = push,
      registry = assert(push.new()),
      recorder = require("pusher.transport.recorder").new { pendings = true },
      service = assert(require("pusher.beams").new { instance_id = "1", secret_key = "k" }),
      handlers = require("pusher.openresty"),
    }
  end

  -- What a transport offers to its pendings only.
  local FOR_PENDINGS = { abandon = true, drive = true, fail = true }

  -- Names that the pages give without the object before them.
  local ALONE = { handlers = true }

  local function public_names(object)
    local names = {}
    local metatable = getmetatable(object)
    local members = metatable and type(metatable.__index) == "table" and metatable.__index or object
    for name, value in pairs(members) do
      if type(name) == "string" and type(value) == "function" and not FOR_PENDINGS[name] and not name:find("^_") then
        names[name] = true
      end
    end
    return names
  end

  it("exist, and all are documented", function()
    local all, references, wrong = readme.text(), {}, {}
    for _, page in ipairs(readme.pages()) do
      references[#references + 1] = not MENTIONS[page] and source.read(page) or nil
    end
    references = table.concat(references, "\n")
    for label, object in pairs(objects()) do
      local public = public_names(object)
      for name in all:gmatch('%f[%w_."/]' .. label .. "[:.]([%a_][%w_]*)%s*[({\"]") do
        wrong[#wrong + 1] = not public[name] and object[name] == nil and label .. " has no " .. name or nil
      end
      for name in pairs(public) do
        local before = ALONE[label] and "`" or "%f[%w_.]" .. label .. "[:.]"
        if not references:find(before .. name .. "%f[^%w_]") then
          wrong[#wrong + 1] = label .. " has " .. name .. ", which no page documents"
        end
      end
      if object.close then
        object:close()
      end
    end
    assert_none(wrong)
  end)

  it("list every error code, and whether it is retryable", function()
    local section, wrong = reference("codes"), {}
    for code, retryable in pairs(require("pusher.base.errors").CODES) do
      local cell = section:match("| `" .. code .. "` |[^\n]*|([^|\n]*)|\n")
      if not cell or (cell == " yes ") ~= retryable then
        wrong[#wrong + 1] = code
      end
    end
    assert_none(wrong)
  end)
end)

describe("the pages", function()
  local function pages()
    local paths = source.files("docs examples tools bench", "md")
    for _, name in ipairs { "README", "CHANGELOG", "CONTRIBUTING", "SECURITY" } do
      paths[#paths + 1] = name .. ".md"
    end
    return paths
  end

  local function exists(path)
    local file = io.open(path)
    return file and file:close() or false
  end

  -- "docs/../README.md" -> "README.md"
  local function resolve(page, path)
    if path == "" then
      return page
    end
    local whole = (page:match("^.*/") or "") .. path
    while whole:find("/%.%./") do
      whole = whole:gsub("[^/]+/%.%./", "", 1)
    end
    return whole
  end

  it("have links to files and headings that exist", function()
    local wrong, count = {}, 0
    for _, page in ipairs(pages()) do
      for _, link in ipairs(links.relative(source.read(page))) do
        local path = resolve(page, link.path)
        count = count + 1
        if not exists(path) then
          wrong[#wrong + 1] = ("%s:%d: %s does not exist"):format(page, link.line, path)
        elseif link.anchor and not links.anchors(source.read(path))[link.anchor] then
          wrong[#wrong + 1] = ("%s:%d: %s has no heading #%s"):format(page, link.line, path, link.anchor)
        end
      end
    end
    assert_none(wrong)
    assert.is_true(count > 60)
  end)

  it("name targets of make that exist", function()
    local makefile, count, wrong = source.read("Makefile"), 0, {}
    for _, page in ipairs(pages()) do
      local text = source.read(page)
      for _, before in ipairs { "`", "\n    ", "\n    sudo " } do -- within a sentence, and in an indented block
        for target in text:gmatch(before .. "make ([%l][%l-]*)[^%w_/]") do
          count = count + 1
          local is_target = makefile:find("\n" .. target:gsub("%-", "%%-") .. ":")
          wrong[#wrong + 1] = not is_target and ("%s: make %s does not exist"):format(page, target) or nil
        end
      end
    end
    assert_none(wrong)
    assert.is_true(count > 40)
  end)

  -- What stands side by side on purpose: figures to compare, and names of two languages.
  local WIDE = { ["docs/performance.md"] = true, ["docs/coming-from-go.md"] = true }
  local MAX_WIDTH = 54 -- characters; a phone shows about 45

  -- The least width of a table, in characters: of each column the longest word, and the space around it.
  local function least_width(rows)
    local widest, sum = {}, 0
    for _, row in ipairs(rows) do
      local column = 0
      for cell in row:gsub("%[([^%]]*)%]%([^)]*%)", "%1"):gmatch("|([^|]*)%f[|]") do
        column = column + 1
        for word in cell:gsub("`", ""):gmatch("[^%s/%-]+") do
          widest[column] = math.max(widest[column] or 0, #word)
        end
      end
    end
    for _, length in pairs(widest) do
      sum = sum + length + 3
    end
    return sum
  end

  it("have tables that a phone shows with little scrolling", function()
    local wrong, count = {}, 0
    for _, page in ipairs(source.files("docs examples tools", "md")) do
      local rows, number = {}, 0
      for line in (source.read(page) .. "\n\n"):gmatch("(.-)\n") do
        number = number + 1
        if line:find("^|") then
          rows[#rows + 1] = line
        elseif rows[1] then
          local width = not WIDE[page] and least_width(rows) or 0
          wrong[#wrong + 1] = width > MAX_WIDTH and ("%s:%d: %d characters"):format(page, number, width) or nil
          rows, count = {}, count + 1
        end
      end
    end
    assert_none(wrong)
    assert.is_true(count > 20)
  end)

  it("have README.md's commands of installing in docs/install.md", function()
    local install, count, wrong = source.read("docs/install.md"), 0, {}
    for line in readme.section(source.read("README.md"), "^Install$"):gmatch("\n(    [^\n]*)") do
      count = count + 1
      wrong[#wrong + 1] = not install:find("\n" .. line .. "\n", 1, true) and line or nil
    end
    assert_none(wrong)
    assert.is_true(count >= 5)
  end)

  it("begin with a short README.md", function()
    assert.is_true(select(2, source.read("README.md"):gsub("\n", "")) <= 250)
  end)

  it("say first for whom they are", function()
    local wrong = {}
    for _, page in ipairs(source.files("docs", "md")) do
      local is_page, first = not page:find("^docs/.*/"), source.read(page):match("^# [^\n]+\n\n([^\n]*)")
      wrong[#wrong + 1] = is_page and not (first and first:find("^For ")) and page or nil
    end
    assert_none(wrong)
  end)

  it("are all reached from README.md", function()
    local linked, wrong = {}, {}
    for _, link in ipairs(links.relative(source.read("README.md"))) do
      linked[link.path] = true
    end
    for _, page in ipairs(source.files("docs", "md")) do
      local is_page = not page:find("^docs/.*/")
      wrong[#wrong + 1] = is_page and not linked[page] and page .. " is not in README.md's list" or nil
    end
    assert_none(wrong)
  end)
end)
