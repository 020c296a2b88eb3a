# Compare models by make: a new model or a new city makes only what depends on it anew.
#
#   make -f examples/compare_models.mk                        # a synthetic city
#   make -f examples/compare_models.mk CITY=mine.parquet -j2  # your own, days 60 on hidden
#
# Prints the scores of each model and, with bootstrap intervals, its difference from the first.
OUT ?= compare
CITY ?= $(OUT)/city.parquet
FROM_DAY ?= 60
MODELS ?= slot-mode history
DECODE ?= geobleu
HUMOBCTL ?= humobctl --quiet

predictions := $(MODELS:%=$(OUT)/%.csv.gz)

.DELETE_ON_ERROR:

$(OUT)/scores.json: $(predictions) $(CITY)
	$(HUMOBCTL) eval $(predictions) --truth $(CITY) --format json --output $@
	cat $@

$(OUT)/%.csv.gz: $(OUT)/challenge.parquet
	$(HUMOBCTL) predict $< --model $* --decode $(DECODE) --output $@

$(OUT)/challenge.parquet: $(CITY) | $(OUT)
	$(HUMOBCTL) data mask $< --from-day $(FROM_DAY) --output $@

$(OUT)/city.parquet: | $(OUT)
	$(HUMOBCTL) data synth --users 50 --seed 1 --output $@

$(OUT):
	mkdir -p $@
