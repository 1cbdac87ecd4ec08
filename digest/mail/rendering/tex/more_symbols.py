"""Symbols of LaTeX, the AMS, stmaryrd, wasysym, textcomp and unicode-math that pylatexenc does not know."""

_LINES = r"""
neg ¬ cdotp · ddagger ‡ Finv Ⅎ Game ⅁ dashrightarrow ⇢ dasharrow ⇢ dashleftarrow ⇠ twoheaduparrow ↟
twoheaddownarrow ↡ mapsfrom ↤ mapsup ↥ mapsdown ↧ Ldsh ↲ Rdsh ↳ leftsquigarrow ⇜ Nearrow ⇗ Nwarrow ⇖
Searrow ⇘ Swarrow ⇙ leftarrowtriangle ⇽ rightarrowtriangle ⇾ leftrightarrowtriangle ⇿ Mapsto ⤇
Mapsfrom ⤆ Longmapsto ⟾ longmapsfrom ⟻ Longmapsfrom ⟽ longrightsquigarrow ⟿ lightning ↯ nleadsto ↛
minus − oiiint ∰ iiiint ⨌ fint ⨏ dashint ⨍ sqint ⨖ varointclockwise ∲ ointctrclockwise ∳ dotminus ∸
dotdiv ∸ eqsim ≂ ncong ≇ napprox ≉ Doteq ≑ coloneq ≔ eqcolon ≕ Coloneqq ⩴ Coloneq ⩴ colonequals ≔
equalscolon ≕ eqdef ≝ defeq ≝ nequiv ≢ nasymp ≭ cupdot ⊍ bigcupdot ⨃ models ⊧ vDash ⊨
measuredrightangle ⊾ lll ⋘ llless ⋘ ggg ⋙ gggtr ⋙ unlhd ⊴ unrhd ⊵ lhd ⊲ rhd ⊳ adots ⋰ diameter ⌀
invneg ⌐ invnot ⌐ strictif ⥽ strictfi ⥼ Join ⋈ lbag ⟅ rbag ⟆ Lbag ⟅ Rbag ⟆ llbracket ⟦ rrbracket ⟧
lBrack ⟦ rBrack ⟧ lbrbrak ❲ rbrbrak ❳ llparenthesis ⦇ rrparenthesis ⦈ llangle ⟪ rrangle ⟫ lAngle ⟪
rAngle ⟫ lgroup ⟮ rgroup ⟯ lBrace ⦃ rBrace ⦄ Vvert ⦀ interleave ⫴ merge ⋈ talloblong ⫾ sslash ⫽
fatsemi ⨟ boxbar ◫ boxslash ⧄ boxbslash ⧅ boxast ⧆ boxcircle ⧇ boxbox ⧈ boxdiag ⧄ obslash ⦸ obar ⌽
operp ⦹ olessthan ⧀ ogreaterthan ⧁ circledvert ⦶ circledbullet ⦿ circledwhitebullet ⦾ biguplus ⨄
bigsqcap ⨅ bigsqcup ⨆ bigodot ⨀ bigtimes ⨉ bigtriangleleft ⨞ biginterleave ⫼ Otimes ⨷ Perp ⫫ Bot ⫫
Top ⫪ indep ⫫ shuffle ⧢ shortmid ∣ shortrightarrow → shortleftarrow ← shortuparrow ↑ shortdownarrow
↓ restr ↾ nsubset ⊄ nsupset ⊅ nsime ≄ sime ≃ simneqq ≆ preceqq ⪳ succeqq ⪴ precneq ⪱ succneq ⪲ Prec
⪻ Succ ⪼ Lt ⪡ Gt ⪢ leqqslant ⫹ geqqslant ⫺ npreceq ⋠ nsucceq ⋡ nsqsubseteq ⋢ nsqsupseteq ⋣
nvartriangleleft ⋪ nvartriangleright ⋫ nlesssim ≴ ngtrsim ≵ apprle ≲ apprge ≳ wedgeq ≙ stareq ≛
questeq ≟ measeq ≞ Equiv ≣ Wedge ⩓ Vee ⩔ barvee ⊽ uminus ⩁ capdot ⩀ plusdot ⨥ dottimes ⨰ btimes ⨲
intprod ⨼ lcurvyangle ⧼ rcurvyangle ⧽ sun ☼ astrosun ☉ Sun ☉ Mercury ☿ Venus ♀ Earth ♁ varEarth ♁
Mars ♂ Jupiter ♃ Saturn ♄ Uranus ♅ Neptune ♆ Pluto ♇ female ♀ leftmoon ☾ fullmoon ○ ascnode ☊
descnode ☋ Aries ♈ Taurus ♉ Gemini ♊ Libra ♎ spadesuit ♠ heartsuit ♡ diamondsuit ♢ clubsuit ♣
varspadesuit ♤ varheartsuit ♥ vardiamondsuit ♦ varclubsuit ♧ twonotes ♫ maltese ✠ smiley ☺ frownie ☹
phone ☎ pencil ✎ hexagon ⬡ pentagon ⬠ Square □ Circle ○ CIRCLE ● Diamond ◇ Diamondblack ◆ LEFTcircle
◐ RIGHTcircle ◑ mdlgblkcircle ● mdlgwhtcircle ○ mdlgblksquare ■ mdlgwhtsquare □ mdlgblkdiamond ◆
mdlgwhtdiamond ◇ lgwhtcircle ◯ smwhtcircle ◦ blacktriangleup ▲ bigblacktriangleup ▲
bigblacktriangledown ▼ bigwhitestar ☆ medbullet ● medcirc ○ CheckedBox ☑ XBox ☒ Checkmark ✓ cmark ✓
xmark ✗ ding ✓ ballotx ✗ recycle ♻ danger ☡ skull ☠ radiation ☢ biohazard ☣ varGamma 𝛤 varDelta 𝛥
varTheta 𝛩 varLambda 𝛬 varXi 𝛯 varPi 𝛱 varSigma 𝛴 varUpsilon 𝛶 varPhi 𝛷 varPsi 𝛹 varOmega 𝛺 upGamma
Γ upDelta Δ upTheta Θ upLambda Λ upXi Ξ upPi Π upSigma Σ upUpsilon Υ upPhi Φ upPsi Ψ upOmega Ω
upalpha α upbeta β upgamma γ updelta δ upepsilon ε upzeta ζ upeta η uptheta θ upiota ι upkappa κ
uplambda λ upmu μ upnu ν upxi ξ upomicron ο uppi π uprho ρ upsigma σ uptau τ upupsilon υ upphi φ
upchi χ uppsi ψ upomega ω upvarepsilon ε upvarphi φ stigma ϛ koppa ϟ sampi ϡ textunderscore _
textbraceleft { textbraceright } textquotedbl " textminus − textangstrom Å textbardbl ‖ textmarried
⚭ textdivorced ⚮ textdied † textborn ⋆ texthyphen ‐ texthyphenchar ‐ guillemetleft « guillemetright
» pounds £ sterling £ yen ¥ cent ¢ EUR € officialeuro € Angstrom Å Angstroem Å angstrom Å celsius ℃
permil ‰ perthousand ‰ degreesymbol ° openbracket [ closebracket ] slash / hash # ampersand & dollar
$ Planckconst ℎ Eulerconst ℇ Bbbsum ⅀ BbbPi ℿ Bbbpi ℼ Bbbgamma ℽ BbbGamma ℾ Zbar Ƶ upand ⅋ parr ⅋
invamp ⅋ bindnasrepma ⅋ with & lollipop ⊸ multimapinv ⟜ multimapdotboth ⧟ corresponds ≙ nsubseteqq ⊈
nsupseteqq ⊉ varsubsetneqq ⫋ varsupsetneqq ⫌ ntriangleleftslant ⋬ ntrianglerightslant ⋭
trianglelefteqslant ⊴ trianglerighteqslant ⊵ mathellipsis … mathsection § mathparagraph ¶ mathdollar
$ mathsterling £ vcentcolon : coloncolon ∷ squaredots ∷ dblcolon ∷ ratio ∶ vdotdot ∶ lparen ( rparen
) relbar − Relbar = mathunderscore _ mathhyphen ‐ bbslash ⑊ bignplus ⨁ arrowvert | Arrowvert ‖
bracevert ⎪ bigbox □ diagdown ╲ doublecap ⋒ doublecup ⋓ doublebarwedge ⩞ centerdot · smallsmile ⌣
smallfrown ⌢ thicksim ∼ thickapprox ≈ shortparallel ∥ varpropto ∝ nleqslant ≰ nleqq ≰ lvertneqq ≨
precnsim ⋨ nshortmid ∤ varsubsetneq ⊊ ngeqslant ≱ ngeqq ≱ gvertneqq ≩ nshortparallel ∦ varsupsetneq
⊋ leadsto ⇝ smallint ∫ leftslice ⪦ rightslice ⪧ micro µ ohm Ω boxright ↦ sqSubset ⋐ curlyveeuparrow
⋎ nrelbar ↛ upmodels ⫫ triangleeq ≜ bigovoid ◯ hyphenbullet ⁃ increment ∆ laplac ∆ QED ∎ qedsymbol ∎
openbox □ blacksmiley ☻ nVrightarrow ⇻ circlearrow ↻ upsilonup υ multimapboth ⧟ sqsubsetneq ⋤
sqsupsetneq ⋥ trianglecdot ◬ smblkcircle • bulletsymbol • squarehfill ▤ cuberoot ∛ fourthroot ∜
"""
_WORDS = _LINES.split()

MORE = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
"""The character for each command."""
