std = "min"
max_line_length = 110
