"""A template and a reader become the bytes of an email; nothing here knows a database, a clock or the network.

`source` reads the Markdown file, `compiling` does once what is the same for every reader, `CompiledMessage.render`
fills in one reader's words, and `mime.build` puts the parts into an envelope.
"""
