"""A template and a reader become the bytes of an email; nothing here knows a database, a clock or the network.

`source` reads the Markdown file, `compiling` does once what is the same for every reader, `CompiledMessage.render`
fills in one reader's words, and `mime.build` puts the parts into an envelope.

What is rendered is a row of `segments`: most are the same text object for every reader, and its encoding is kept
(`quoted`), so one reader costs the encoding of that reader's words. `folding` takes decisions out of the template that
no reader changes, `flowing` wraps the text part once per lengths of words, `links` leaves places for addresses.
"""
