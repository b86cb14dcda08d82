"""What a text is: its language, how good it is, what it is about.

In: documents. Out: labels and scores in them; fewer documents. Never: a classifier without its own
evaluation beside it.
"""

from herd.data.classify.language_stage import LanguageStage, identify

__all__ = ["LanguageStage", "identify"]
