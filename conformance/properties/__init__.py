"""The properties, one function each: ``check_...(subject or model, examples) -> observed error``.

Each carries its name and the error it allows (`bounds.law`). The tests beside this folder call them on examples that
Hypothesis draws; anything else may call them on examples of its own.
"""
