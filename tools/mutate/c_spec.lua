-- What is changed in C code, and what is left alone.

local c = require "tools.mutate.c"

describe("The mutator of C", function()
  local function tokens_of(text)
    local list = {}
    for index, token in ipairs(c.lex(text)) do
      list[index] = text:sub(token.from, token.to)
    end
    return list
  end

  -- What one kind of structure makes of a text.
  local function changed(kind, text)
    local texts, tokens = {}, c.lex(text)
    for index in ipairs(tokens) do
      for _, structure in ipairs(c.structures) do
        structure(tokens, index, function(found, first, last, new)
          if found == kind then
            texts[#texts + 1] = text:sub(1, first.from - 1) .. new .. text:sub(last.to + 1)
          end
        end)
      end
    end
    return texts
  end

  it("reads tokens, but no comments and no lines of the preprocessor", function()
    assert.same({ "a", "->", "b", "<<=", "0x1F", "+", "'\\''", ";" }, tokens_of("a->b <<= 0x1F + '\\'';"))
    assert.same({ "f", "(", '"a\\"b /* c */"', ")" }, tokens_of('f(/* no\n "x" */ "a\\"b /* c */")'))
    assert.same({ "int", "a", ";" }, tokens_of("#include <x.h>\n#define A(b) \\\n    b + 1\nint a;\n#if 1 < 2"))
    assert.same({}, tokens_of(""))
  end)

  it("knows the lines", function()
    local lines = {}
    for index, token in ipairs(c.lex("/* a\n b */ c\n#define X \\\n Y\n\"d\"\n  e f")) do
      lines[index] = token.text .. token.line
    end
    assert.same({ "c2", '"d"5', "e6", "f6" }, lines)
  end)

  it("leaves pointers, addresses and signs alone", function()
    local swapped = {}
    for _, token in ipairs(c.lex("char *a = &b[-1] * *d & e - f + +g;")) do
      swapped[#swapped + 1] = c.swaps[token.text] and token.text or nil
    end
    assert.same({ "*", "&", "-", "+" }, swapped)
  end)

  it("leaves out statements, as long as they are", function()
    assert.same({ "{\n    ;\n    *b = 1;\n}", "{\n    a(1,\n      2);\n    ;\n}" },
      changed("deletion", "{\n    a(1,\n      2);\n    *b = 1;\n}"))
    assert.same({ "if (a)\n    ;\nelse\n    b();", "if (a)\n    return;\nelse\n    ;" },
      changed("deletion", "if (a)\n    return;\nelse\n    b();"))
    assert.same({}, changed("deletion", "{\n    int a = 1;\n    char *b = c;\n    (void)a;\n    return a;\n    for (;;)\n}"))
  end)

  it("decides conditions", function()
    assert.same({ "if (1)", "if (0)" }, changed("condition", "if (a && (b || c))"))
    assert.same({ "while (0)" }, changed("condition", "while (f(a))"))
  end)

  it("has specs for every C file, and they exist", function()
    local list = assert(io.popen("ls src/*.h src/*/*.[ch]"))
    for path in list:lines() do
      local specs = c.specs(path)
      assert.is_true(#specs > 0)
      for _, spec in ipairs(specs) do
        assert.is_true(os.rename(spec, spec), spec)
      end
    end
    list:close()
  end)
end)
