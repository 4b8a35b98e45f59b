"""The description of the APIs in OpenAPI's words, made from the code: the URL table, the views, their serializers.

A view says in `described`, beside its `policy`, what each method takes and answers (`methods.Does`). Documents are
described beside the functions that make them (`schemas`), bodies by the serializers that read them (`fields`), and all
else is read off the classes: parameters of the path, headers, versions, roles, refusals (`document`).
"""
