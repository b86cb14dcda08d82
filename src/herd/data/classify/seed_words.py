"""Seed words for the kinds of text that Llama 3's mix tells apart (section 3.1.2): topics, code, reasoning.

Words that hardly occur elsewhere, a few dozen a label: `label_by_seeds` finds the rest.
"""

TOPICS: dict[str, str] = {
    "arts and entertainment": (
        "film movie actor actress director novel poem poetry painting painter sculpture theatre theater opera "
        "symphony orchestra album concert guitar piano singer musician gallery museum drama comedy celebrity "
        "episode television hollywood cinema artist artistic melody lyrics"
    ),
    "science and nature": (
        "physics chemistry biology molecule molecules atom atoms electron quantum hypothesis laboratory "
        "organism organisms species evolution genetic genes cells protein enzyme planet galaxy telescope "
        "geology fossil ecosystem gravity thermodynamics velocity radiation experiment"
    ),
    "history and society": (
        "empire emperor dynasty medieval century treaty monarchy colonial revolution ancient parliament "
        "constitution president senate congress minister election republic civil independence slavery "
        "invasion throne reign crusade archaeology feudal"
    ),
    "business and economy": (
        "market markets investors investment profit revenue shareholders stock stocks inflation currency bank "
        "banking loan trade tariff exports imports wages entrepreneur company corporate marketing sales "
        "customers accounting merger fiscal economy economic gdp"
    ),
    "health": (
        "patient patients doctor physician hospital disease symptoms treatment therapy diagnosis infection "
        "vaccine cancer diabetes surgery medication dose clinical nurse blood chronic pain nutrition "
        "cardiovascular antibiotic tumor pregnancy mental"
    ),
    "law": (
        "court plaintiff defendant statute lawsuit attorney lawyer judge jury verdict appeal contract liability "
        "tort prosecution criminal convicted sentence evidence testimony jurisdiction constitutional amendment "
        "landlord tenant damages negligence"
    ),
    "technology": (
        "software hardware computer computers server internet website browser network database algorithm "
        "programming developer smartphone android processor cpu gpu encryption password cloud user interface "
        "digital startup robot app apps linux windows"
    ),
    "sports": (
        "team teams player players coach goal goals league season championship tournament match football soccer "
        "basketball baseball hockey tennis cricket golf olympic olympics stadium score scored defeated "
        "quarterback midfielder innings"
    ),
    "religion and philosophy": (
        "god church bible jesus christ prayer faith holy spirit sermon priest bishop mosque quran islam "
        "buddhist buddhism hindu temple theology ethics metaphysics philosopher philosophy moral virtue soul "
        "kant plato aristotle"
    ),
    "travel and food": (
        "hotel hotels travel tourist tourists beach flight airport resort recipe ingredients tablespoon teaspoon "
        "oven bake cook cooking delicious restaurant menu flavor flavour dessert butter garlic vacation "
        "destination sightseeing"
    ),
}
CODE: dict[str, str] = {
    "code": (
        "def return import class self function var const int void printf println public static null elif "
        "lambda stdout stderr argv github api json html css javascript python java struct sizeof malloc "
        "iostream std namespace println async await"
    ),
}
REASONING: dict[str, str] = {
    "reasoning": (
        "theorem lemma proof prove equation equations solve solving solution integer polynomial denominator "
        "numerator divisible divide divided multiply multiplied subtract subtracted squared radius triangle "
        "perpendicular probability derivative integral matrix vector substitute simplify calculate equals sum "
        "total altogether remaining percent fraction twice half answer frac sqrt cdot boxed"
    ),
}
