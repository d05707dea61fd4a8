"""Reads JSON bodies, and refuses what would hurt: too large, too deep, not UTF-8."""

import codecs
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.utils import json as strict_json

from courses.api.problems import TooLarge


class JSONParser(BaseParser):
    """RFC 8259: UTF-8, whatever charset the header names, since JSON has no other. NaN and Infinity are refused."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.body if hasattr(stream, "body") else stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge
        try:
            read = json.loads(body.removeprefix(codecs.BOM_UTF8).decode(), parse_constant=strict_json.strict_constant)
            if b"\\u" in body:
                # Half of a surrogate pair is no character: it can neither be stored nor sent back.
                json.dumps(read, ensure_ascii=False).encode()
            return read
        except RecursionError as error:
            raise ParseError(_("The body is nested too deeply.")) from error
        except ValueError as error:
            raise ParseError(_("The body is not JSON: %(error)s") % {"error": error}) from error
